"""What the evaluation says: a frozen tree that turns into JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from slo_otel.evaluation._queries import Group
from slo_otel.recorder import Tally
from slo_otel.units import seconds

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def _number(value: float | None) -> Json:
    """Strict JSON has no infinity: it becomes the text `inf` or `-inf`; null is what is not known."""
    if value is None or math.isfinite(value):
        return value
    return "inf" if value > 0 else "-inf"


class Scope(StrEnum):
    """Whose events a number covers (POLICY.md 9)."""

    PROCESS = "process"
    HOST = "host"
    FLEET = "fleet"


class State(StrEnum):
    """The state of an SLO (POLICY.md 6)."""

    OK = "ok"
    BREACH = "breach"
    INSUFFICIENT = "insufficient"
    NO_DATA = "no_data"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Budget:
    """The error budget of the compliance window.

    `consumed` is `r / e * v`, 1.0 when all of it is spent; it is not clamped, and `math.inf` for a spent zero
    budget. `remaining` is `1 - consumed`. Both are None while they are unknown. `limit` and `spent` are events.
    """

    consumed: float | None
    remaining: float | None
    limit: float | None
    spent: int

    def to_json(self) -> dict[str, Json]:
        """Ratios, with an infinite one as the text `inf` or `-inf`, and numbers of events."""
        return {
            "consumed": _number(self.consumed),
            "remaining": _number(self.remaining),
            "limit": _number(self.limit),
            "spent": self.spent,
        }


class Burn(NamedTuple):
    """The burn rate over one look-back window: 1 means the budget lasts exactly the compliance window.

    `rate` is None without events; `math.inf` for a bad event against a zero budget. `state` is `ok` or the reason
    why the rate should not be acted on: `insufficient`, `no_data`.
    """

    window_ns: int
    rate: float | None
    sli: float | None
    valid: int
    state: State

    def to_json(self) -> dict[str, Json]:
        """The window in seconds, the rate with infinity as the text `inf`."""
        return {
            "window": seconds(self.window_ns),
            "rate": _number(self.rate),
            "sli": _number(self.sli),
            "valid": self.valid,
            "state": self.state.value,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """One SLO and group at one moment."""

    slo: str
    entry: str
    group: Group
    state: State
    warming_up: bool
    """Coverage is below 1: the SLO is younger than its window."""
    as_of_ns: int
    """The end of the compliance window it was evaluated over."""
    window: str
    target: str | None
    """The objective's exact percentage, e.g. `99.95%`."""
    objective: str | None
    """The objective as a person writes it, e.g. `p95 < 400ms`."""
    tally: Tally
    """Good, bad and excluded events in the window (for SLIs with a total: derived from it)."""
    sli: float | None
    excluded_share: float | None
    coverage: float | None
    first_observed_ns: int | None
    budget: Budget | None
    """None without an objective that has one."""
    burns: tuple[Burn, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Strict JSON: moments in seconds since the epoch, unknown numbers null, infinite ones `inf` or `-inf`."""
        since = self.first_observed_ns
        return {
            "slo": self.slo,
            "entry": self.entry,
            "group": dict(self.group),
            "state": self.state.value,
            "warming_up": self.warming_up,
            "as_of": seconds(self.as_of_ns),
            "window": self.window,
            "target": self.target,
            "objective": self.objective,
            "events": {"good": self.tally.good, "bad": self.tally.bad, "excluded": self.tally.excluded},
            "sli": _number(self.sli),
            "excluded_share": _number(self.excluded_share),
            "coverage": _number(self.coverage),
            "first_observed": None if since is None else seconds(since),
            "budget": None if self.budget is None else self.budget.to_json(),
            "burns": [burn.to_json() for burn in self.burns],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class StatusSet:
    """Every SLO and group at one moment, in the order of the policy."""

    at_ns: int
    """The `now` of the evaluation: a tick."""
    scope: Scope
    service: str
    statuses: tuple[Status, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Strict JSON (`json.dumps(..., allow_nan=False)` takes it); `at` in seconds since the epoch."""
        return {
            "at": seconds(self.at_ns),
            "scope": self.scope.value,
            "service": self.service,
            "statuses": [status.to_json() for status in self.statuses],
            "notes": list(self.notes),
        }

    def find(self, slo: str, group: Mapping[str, str] | None = None) -> Status | None:
        """The status of one SLO; `group` must name every `per` attribute when there are several groups."""
        wanted = dict(group or {})
        found = [
            status for status in self.statuses if status.slo == slo and wanted.items() <= dict(status.group).items()
        ]
        return found[0] if len(found) == 1 else None
