"""What the evaluation asks, and what a ledger or a fleet answers.

Times are wall nanoseconds, windows `(start, end]`. A query names no group: its answer holds every
group that has data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from slo_otel.plan import Measure
from slo_otel.recorder import Tally

Group: TypeAlias = tuple[tuple[str, str], ...]
"""Attribute names and values, in the order of the query's `dims`."""
Filter: TypeAlias = tuple[tuple[str, str], ...]
"""Series attributes that must have these values; empty for all."""


class Counts(NamedTuple):
    """Verdict counts of one measure in `(start_ns, end_ns]`, by group.

    A tuple, as its answer is: thousands of both are made and looked up at each tick, for half of what it costs
    with dataclasses.
    """

    measure: Measure
    dims: tuple[str, ...]
    start_ns: int
    end_ns: int
    where: Filter = ()


class Counted(NamedTuple):
    """The answer to `Counts` for one group."""

    tally: Tally
    since_ns: int
    """`first_observed`: the start of the slice with the first event of this measure and group."""
    last_ns: int
    """The end of the last slice with an event."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Verdict counts per slice of `width_ns` in `(start_ns, end_ns]`; slices without events are left out."""

    measure: Measure
    dims: tuple[str, ...]
    start_ns: int
    end_ns: int
    width_ns: int
    where: Filter = ()


@dataclass(frozen=True, slots=True)
class Slice:
    """The events of one slice, which ends at `end_ns`."""

    end_ns: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Last:
    """The last value of a gauge, age or sum at `at_ns`, no older than `horizon_ns`."""

    name: str
    dims: tuple[str, ...]
    at_ns: int
    horizon_ns: int
    where: Filter = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One value and when it was taken."""

    value: float
    at_ns: int


@dataclass(frozen=True, slots=True)
class Polls:
    """The results of a probe in `(start_ns, end_ns]`."""

    name: str
    dims: tuple[str, ...]
    start_ns: int
    end_ns: int
    where: Filter = ()


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll: passed, failed, or None where the source could not be asked."""

    at_ns: int
    passed: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """How many events of a name in `(start_ns, end_ns]`."""

    name: str
    dims: tuple[str, ...]
    start_ns: int
    end_ns: int
    where: Filter = ()


@dataclass(frozen=True, slots=True)
class Hourly:
    """Hourly histograms of one measure whose hours end in `(start_ns, end_ns]`."""

    measure: Measure
    dims: tuple[str, ...]
    start_ns: int
    end_ns: int
    where: Filter = ()


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of durations: explicit bounds in seconds and the count of each bucket."""

    end_ns: int
    bounds: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Users:
    """Distinct users, and those with a bad event, in `(start_ns, end_ns]`."""

    measure: Measure
    dims: tuple[str, ...]
    start_ns: int
    end_ns: int
    where: Filter = ()


@dataclass(frozen=True, slots=True)
class Distinct:
    """Estimated distinct users. `error` is the relative standard error of both."""

    affected: float
    seen: float
    error: float


@dataclass(frozen=True, slots=True)
class Open:
    """What was begun and not finished at `at_ns`."""

    name: str
    dims: tuple[str, ...]
    at_ns: int
    where: Filter = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """How many are open and since when the oldest is; None when none is."""

    count: int
    oldest_ns: int | None


@dataclass(frozen=True, slots=True)
class Alive:
    """Which slices in `(start_ns, end_ns]` a writer was alive in: tells silence from death."""

    start_ns: int
    end_ns: int


Query: TypeAlias = Counts | Slices | Last | Polls | Named | Hourly | Users | Open | Alive


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to a tuple of queries, each by its type. A query that was not asked answers with nothing."""

    counts: Mapping[Counts, Mapping[Group, Counted]] = field(default_factory=lambda: MappingProxyType({}))
    slices: Mapping[Slices, Mapping[Group, tuple[Slice, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    last: Mapping[Last, Mapping[Group, Sample]] = field(default_factory=lambda: MappingProxyType({}))
    polls: Mapping[Polls, Mapping[Group, tuple[Poll, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    named: Mapping[Named, Mapping[Group, int]] = field(default_factory=lambda: MappingProxyType({}))
    hourly: Mapping[Hourly, Mapping[Group, tuple[Hour, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    users: Mapping[Users, Mapping[Group, Distinct]] = field(default_factory=lambda: MappingProxyType({}))
    open: Mapping[Open, Mapping[Group, Opened]] = field(default_factory=lambda: MappingProxyType({}))
    alive: Mapping[Alive, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """The ends of the slices in which some writer was alive, ascending."""
