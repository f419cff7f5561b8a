"""Service levels as compiled: indicators (what is counted) and SLOs (what is promised of them)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from slo_otel.plan._condition import Condition
from slo_otel.plan._match import Match
from slo_otel.plan._objective import Budgeting, LatencyObjective, Objective, target_of
from slo_otel.plan._predicate import Predicate
from slo_otel.units import Window


class Form(StrEnum):
    """The SLI forms of POLICY.md 5."""

    EVENT = "event"
    SUCCESS = "success"
    ERRORS = "errors"
    COUNTED = "counted"
    LATENCY = "latency"
    PROBE = "probe"
    GAUGE = "gauge"
    AGE = "age"
    SUM = "sum"
    DELAY = "delay"
    DEADLINE = "deadline"
    DURATION = "duration"
    PROMQL = "promql"


class Tallying(StrEnum):
    """Which two of the three numbers a counted SLI is given; the third follows."""

    GOOD_BAD = "good_bad"
    GOOD_TOTAL = "good_total"
    BAD_TOTAL = "bad_total"


@dataclass(frozen=True, slots=True)
class Where:
    """`{attr: value | [values]}`: every attribute has one of its values."""

    tests: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events belong to one indicator.

    `unless` are the `where`s of the variants, for an SLO that stands for what no variant matched.
    """

    match: Match
    where: Where = Where()
    unless: tuple[Where, ...] = ()


@dataclass(frozen=True, slots=True)
class RatioRule:
    """How `success` and `errors` judge. `predicate` is the good one for success, the bad one for errors.

    None stands for the form's default: `2xx` (requests) and `success` (operations) as good; `5xx`, exception,
    timeout (requests) and `error` (operations) as bad.
    """

    form: Form
    predicate: Predicate | None
    exclude: Predicate = Predicate()
    cancelled_after_ns: int = 10_000_000_000
    """A client's cancellation is bad once the event lasted longer, excluded before."""


@dataclass(frozen=True, slots=True)
class CountedRule:
    """How counted domain outcomes judge: by the names of two events. With a total, `total - excluded` are valid."""

    tallying: Tallying
    good: str | None = None
    bad: str | None = None
    total: str | None = None
    exclude: Predicate = Predicate()


@dataclass(frozen=True, slots=True)
class LatencyRule:
    """How `latency` judges: every threshold by itself, validity once for the whole SLO."""

    only: Predicate | None
    until_first_byte: bool | None
    """None: to the last byte, `text/event-stream` to the first."""
    cancelled_after_ns: int
    """A client's cancellation is bad once the event lasted longer, excluded before."""
    exclude: Predicate = Predicate()


@dataclass(frozen=True, slots=True)
class NoRule:
    """No verdicts: `event` only counts, and other forms without a rule are not evaluated by this version."""

    form: Form


@dataclass(frozen=True, slots=True)
class Indicator:
    """One SLI entry and variant: what is counted.

    `name` is the entry's with its variant (`api-latency-auth`). `fingerprint` identifies the expanded SLI without
    target, window, alerts and threshold; history belongs to (fingerprint, threshold, group).
    """

    name: str
    form: Form
    selection: Selection
    rule: RatioRule | CountedRule | LatencyRule | NoRule
    fingerprint: str
    per: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    thresholds: tuple[int, ...] = ()
    """Latency only: every threshold of its objectives and alerts, ascending, in nanoseconds."""
    users: str | None = None
    websocket: bool = False

    @property
    def dims(self) -> tuple[str, ...]:
        """The attributes of its series: `per`, then `keep`."""
        return self.per + self.keep


class Measure(NamedTuple):
    """One counter of the ledger: an indicator, and for latency one of its thresholds.

    A tuple, because it is hashed with every question about it.
    """

    fingerprint: str
    threshold_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of an SLO: a condition and what to say when it holds."""

    severity: str
    condition: Condition
    name: str | None = None
    min_events: int | None = None
    notify: tuple[str, ...] = ()
    runbook: str | None = None
    message: str | None = None
    incident: bool | None = None
    on_budget: bool = False
    """Written under (or implied by) `budget_alerts`."""


@dataclass(frozen=True, slots=True)
class SLO:
    """One service level as it appears on the page: an indicator, an objective, a compliance window."""

    name: str
    entry: str
    """The name under which it was written; list objectives and variants share it."""
    indicator: Indicator
    objective: Objective | None
    window: Window
    budgeting: Budgeting
    min_events: int
    min_failures: int
    alerts: tuple[Alert, ...] = ()
    description: str | None = None
    owner: str | None = None
    tier: str | None = None
    runbook: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    no_data: str | None = None
    evaluate: str = "live"
    unsupported: tuple[str, ...] = ()
    """What of it this version does not evaluate; not empty means the state `unsupported`."""

    @property
    def target(self) -> Fraction | None:
        """The share of good events it promises; None without an error budget."""
        return target_of(self.objective)

    @property
    def budget_ratio(self) -> Fraction | None:
        """`e = 1 - target`, exact (slo-math 0)."""
        target = self.target
        return None if target is None else 1 - target

    @property
    def measure(self) -> Measure:
        """The counter that its objective reads."""
        threshold = self.objective.under_ns if isinstance(self.objective, LatencyObjective) else None
        if threshold is None and self.indicator.thresholds:
            threshold = self.indicator.thresholds[0]
        return Measure(self.indicator.fingerprint, threshold)


@dataclass(frozen=True, slots=True)
class Category:
    """What `tag`, `track` and SLOs may name. Without terms it is tagged in code only."""

    name: str
    match: Match
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The compiled policy: frozen values and no third-party import; every stage reads it.

    Two plans that compare equal are the same policy.
    """

    service: str
    step_ns: int
    slos: tuple[SLO, ...]
    namespace: str | None = None
    timezone: str = "UTC"
    labels: tuple[tuple[str, str], ...] = ()
    categories: tuple[Category, ...] = ()
    synthetic: Predicate = Predicate()
    event_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """`names:`: what existing code calls an event, to ours (`http` for every request)."""
    attribute_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """`attributes:`: what existing code calls an attribute, to ours."""
    attributes: frozenset[str] = frozenset()
    """Every attribute set by code that the policy names; no other becomes part of a series."""
    reasons: frozenset[str] = frozenset()
    """The reasons that the policy names; 20 more may arrive."""
    unsupported: tuple[str, ...] = ()
    """What of the file, beyond single SLOs, this version does not evaluate."""

    def __hash__(self) -> int:
        """Over what can be hashed, so that what follows from a plan can be kept with it."""
        return hash((self.namespace, self.service, self.step_ns, len(self.slos)))

    @property
    def indicators(self) -> tuple[Indicator, ...]:
        """Every indicator once, in the order of the file."""
        return tuple({slo.indicator.name: slo.indicator for slo in self.slos}.values())
