"""Conditions of the grammar (POLICY.md 7), as values. Lengths are in nanoseconds; None means not written."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from slo_otel.plan._objective import Cmp
from slo_otel.units import Quantity


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """`error_rate > 5% over 10m for 5m`."""

    cmp: Cmp
    ratio: Fraction
    over_ns: int | None
    for_ns: int | None


@dataclass(frozen=True, slots=True)
class Percentile:
    """`p95 > 750ms for 15m`: more than 5 % of events slower than the threshold."""

    share: Fraction
    """0.95 for p95."""
    cmp: Cmp
    threshold_ns: int
    over_ns: int | None
    for_ns: int | None


@dataclass(frozen=True, slots=True)
class Baseline:
    """`p95 > 2x baseline over 15m`: the same hour of the last seven days."""

    share: Fraction
    cmp: Cmp
    factor: Fraction
    over_ns: int | None
    for_ns: int | None


@dataclass(frozen=True, slots=True)
class ExcludedShare:
    """`excluded > 20% over 10m`: excluded events / all events."""

    cmp: Cmp
    ratio: Fraction
    over_ns: int | None
    for_ns: int | None


@dataclass(frozen=True, slots=True)
class UsersAffected:
    """`users_affected > 1% over 15m`: distinct users with a bad event / distinct users."""

    cmp: Cmp
    ratio: Fraction
    over_ns: int | None
    for_ns: int | None


@dataclass(frozen=True, slots=True)
class OffTarget:
    """`off_target for 1h`: the error ratio above the budget ratio."""

    over_ns: int | None
    for_ns: int | None


@dataclass(frozen=True, slots=True)
class Failures:
    """`failures > 10 in 10m`."""

    cmp: Cmp
    count: int
    in_ns: int


@dataclass(frozen=True, slots=True)
class Events:
    """`events NAME > 1 in 1h`; without a name the events of the SLO."""

    name: str | None
    cmp: Cmp
    count: int
    in_ns: int


@dataclass(frozen=True, slots=True)
class AnyEvent:
    """`any NAME`: one such event; bare: one bad event of the SLO."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Missed:
    """`missed`: one more deadline passed, or one more duration above its maximum."""


@dataclass(frozen=True, slots=True)
class Value:
    """`value > 50 for 5m`."""

    cmp: Cmp
    limit: Quantity
    for_ns: int | None


@dataclass(frozen=True, slots=True)
class Trend:
    """`value rising for 24h`."""

    direction: Literal["rising", "falling"]
    for_ns: int


@dataclass(frozen=True, slots=True)
class Age:
    """`age > 24h for 5m`."""

    cmp: Cmp
    limit_ns: int
    for_ns: int | None


@dataclass(frozen=True, slots=True)
class Outage:
    """`outage for 2m in all region`: no good event and at least five valid ones in five minutes."""

    for_ns: int | None
    in_all: str | None


@dataclass(frozen=True, slots=True)
class Down:
    """`down for 5m`: every poll bad."""

    for_ns: int


@dataclass(frozen=True, slots=True)
class NoData:
    """`no data for 10m`."""

    for_ns: int


@dataclass(frozen=True, slots=True)
class SliBelow:
    """`sli < 99% for 1h`; `ratio` None means `objective`."""

    cmp: Cmp
    ratio: Fraction | None
    for_ns: int | None


@dataclass(frozen=True, slots=True)
class BudgetShare:
    """`budget consumed >= 50%`, `budget remaining <= 25%`: fires on the crossing."""

    side: Literal["consumed", "remaining"]
    cmp: Cmp
    ratio: Fraction


@dataclass(frozen=True, slots=True)
class Burns:
    """`burns 25% of budget in 1d`."""

    ratio: Fraction
    in_ns: int


@dataclass(frozen=True, slots=True)
class Burn:
    """`burn > 2x over 1d and 2h`: in both windows; None means the default windows of the compliance window."""

    cmp: Cmp
    factor: Fraction
    long_ns: int | None
    short_ns: int | None


@dataclass(frozen=True, slots=True)
class Exhausts:
    """`budget exhausts within 24h`: at the burn of the last quarter of that."""

    within_ns: int


Condition: TypeAlias = (
    ErrorRate
    | Percentile
    | Baseline
    | ExcludedShare
    | UsersAffected
    | OffTarget
    | Failures
    | Events
    | AnyEvent
    | Missed
    | Value
    | Trend
    | Age
    | Outage
    | Down
    | NoData
    | SliBelow
    | BudgetShare
    | Burns
    | Burn
    | Exhausts
)
