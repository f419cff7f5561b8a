"""What the evaluation says: a frozen tree that turns into JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from slo_otel.evaluation._queries import Group
from slo_otel.recorder import Tally

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


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


@dataclass(frozen=True, slots=True)
class Burn:
    """The burn rate over one look-back window: 1 means the budget lasts exactly the compliance window.

    `rate` is None without events; `math.inf` for a bad event against a zero budget. `state` is `ok` or the reason
    why the rate should not be acted on: `insufficient`, `no_data`.
    """

    window_ns: int
    rate: float | None
    sli: float | None
    valid: int
    state: State


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


@dataclass(frozen=True, slots=True)
class StatusSet:
    """Every SLO and group at one moment, in the order of the policy."""

    at_ns: int
    """The `now` of the evaluation: a tick."""
    scope: Scope
    service: str
    statuses: tuple[Status, ...]
    notes: tuple[str, ...] = ()

    def find(self, slo: str, group: Mapping[str, str] | None = None) -> Status | None:
        """The status of one SLO; `group` must name every `per` attribute when there are several groups."""
        wanted = dict(group or {})
        found = [
            status for status in self.statuses if status.slo == slo and wanted.items() <= dict(status.group).items()
        ]
        return found[0] if len(found) == 1 else None
