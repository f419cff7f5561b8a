"""What a recorder hands to its readers. Every reader keeps its own previous snapshot and subtracts.

`Histogram` and `CellSnapshot` are made anew by every fold, so they are tuples: making one takes a third of the time
of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from slo_otel.plan import CellKey, Judgement
from slo_otel.recorder._exemplars import Kept


class Histogram(NamedTuple):
    """Cumulative counts of durations in seconds since the cell's start.

    `counts[i]` are the values in `(bounds[i-1], bounds[i]]`, the last one above all bounds, so
    `len(counts) == len(bounds) + 1`. `exponential` holds the values in `(base^i, base^(i+1)]` by `i`, with
    `base = 2^(2^-scale)` as in the OpenTelemetry data model; `zeros` are values of 0 and below the normal doubles.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float
    scale: int
    exponential: Sequence[tuple[int, int]]
    """(index, count), ascending, without empty buckets. Never changes; compares as the tuple of them."""
    zeros: int
    sums: tuple[float, ...] = ()
    """Sums per segment of `cuts`; `len(cuts) + 1`, or empty when there are no cuts."""
    cuts: tuple[float, ...] = ()
    """Where a duration decides between excluded and counted; each is one of `bounds`."""

    def at_most(self, bound: float) -> int:
        """How many values were at most `bound`, which must be one of `bounds`."""
        return sum(self.counts[: self.bounds.index(bound) + 1])


class CellSnapshot(NamedTuple):
    """One series. An unchanged cell is the same object as in the previous snapshot."""

    key: CellKey
    judgements: tuple[Judgement, ...]
    start_ns: int
    """Wall time of the cell's creation, nanoseconds since the epoch."""
    count: int  # type: ignore[assignment] # a series has events; nobody looks for a value in it with tuple.count
    duration: Histogram | None
    """None for events without a duration."""
    first_byte: Histogram | None = None


@dataclass(frozen=True, slots=True)
class GaugePoint:
    """The last value that code gave to a gauge."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    value: float
    at_ns: int


@dataclass(frozen=True, slots=True)
class Mark:
    """One line of the journal: the begin or finish of a keyed thing, a keyed count, a poll, an event."""

    sequence: int
    kind: str
    """`begin`, `finish`, `count`, `probe` or `event`."""
    name: str
    key: str | None
    at_ns: int
    started_ns: int | None
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sketch:
    """Distinct users of one series, as a serialised sketch. Filled by a later version."""

    name: str
    group: tuple[tuple[str, str], ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What did not fit, as cumulative counts since the process started."""

    series: int
    """How many there are now."""
    overflowed_events: int
    """Past the limit on series."""
    overflowed_values: int
    """Of attributes, reasons and error types past their limit, and gauges past theirs."""
    dropped_marks: int
    late_changes: int
    """Changes to an event after it was closed."""
    after_body_errors: int
    """Exceptions after the last body message: background tasks."""
    detached_events: int
    """Look-ups of the current event where none was open: in a child task or thread, or outside of any."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the recorder of one writer knows at one moment. Taking it resets nothing."""

    writer: str
    """Unique per process start; a fork makes a new one."""
    taken_wall_ns: int
    """The tick the snapshot belongs to, or the moment it was taken off-tick."""
    taken_mono_ns: int
    cells: tuple[CellSnapshot, ...]
    gauges: tuple[GaugePoint, ...]
    journal: tuple[Mark, ...]
    sketches: tuple[Sketch, ...]
    limits: Limits
    late: bool = False
    """Several steps passed since the last tick: its slice holds the events of all of them."""
    exemplars: Kept = ()
    """Single events of some cells, since exemplars last arrived somewhere."""
