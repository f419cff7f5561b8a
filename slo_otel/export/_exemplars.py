"""Exemplars of data points: single events with the trace they were part of (specification, metrics/sdk, Exemplar).

A point of `slo.events` has the latest event that was bad; one of `slo.operation.duration` the slowest event of each
bucket. The attributes of an exemplar are those of its event that the point has not, all of them parts of the series
that the event was counted in: nothing that a client sent, and nothing without a bound.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, TypeAlias, TypeVar

from opentelemetry.sdk.metrics import Exemplar

from slo_otel.export._checkpoint import Line, Total
from slo_otel.export._paced import paced
from slo_otel.export._series import Attributes, Series, Sharing
from slo_otel.names import attribute
from slo_otel.plan import OVERFLOW, CellKey, Fixed, Ruling, Verdict, ruled
from slo_otel.recorder import CellSnapshot, Snapshot
from slo_otel.recorder import Exemplar as Kept

_MOST: Final = 2_000
"""Exemplars in one export; with their attributes each is about as long as a point without."""
_PARTS: Final = ("operation", "route", "method", "status", "outcome", "reason", "error_type")
_OF_RESOURCE: Final = frozenset({"region", "environment", "service_version"})
"""What the resource says already."""


class Example(NamedTuple):
    """An event as a point shows it."""

    key: CellKey
    kept: Kept
    value: float


Found: TypeAlias = Iterable[tuple[Series, str, Example]]
"""Series, verdict, event."""
V = TypeVar("V", bound=Total)


class Examples:
    """The exemplars of one metric at one moment, by the points that show them. False when there are none."""

    def __init__(self, found: Found, bounds: Mapping[str, tuple[float, ...]] | None = None) -> None:
        """`bounds` are those of the indicators whose durations these are."""
        self._bounds = bounds or {}
        self._by_point: dict[tuple[Series, str], list[Example]] = {}
        for series, verdict, example in found:
            self._by_point.setdefault((series, verdict), []).append(example)

    def __bool__(self) -> bool:
        return bool(self._by_point)

    def latest(self, line: Line[V], start_ns: int) -> Sequence[Exemplar]:
        """The latest event of a point that starts then."""
        found = self._of(line, start_ns)
        return [_told(max(found, key=lambda each: each.kept.at_ns), line.told)] if found else ()

    def slowest(self, line: Line[V], start_ns: int) -> Sequence[Exemplar]:
        """The slowest event of each bucket, the buckets in order."""
        worst: dict[int, Example] = {}
        for each in self._of(line, start_ns):
            bucket = bisect_left(self._bounds[line.series[0]], each.value)
            if bucket not in worst or worst[bucket].value < each.value:
                worst[bucket] = each
        return [_told(worst[bucket], line.told) for bucket in sorted(worst)]

    def _of(self, line: Line[V], start_ns: int) -> list[Example]:
        found = self._by_point.get((line.series, line.verdict), ()) if self._by_point else ()
        return [each for each in found if each.kept.at_ns >= start_ns]


_NONE: Final = Examples(())


def failures(snapshot: Snapshot, cells: Mapping[CellKey, CellSnapshot], sharing: Sharing) -> Examples:
    """The events that were bad, by service level and group."""

    def found() -> Found:
        for cell, kept in _kept(snapshot, cells):
            for series, ruling in sharing(cell.judgements):
                if ruled(ruling, kept.value, kept.first_byte) is Verdict.BAD:
                    yield series, Verdict.BAD.value, Example(cell.key, kept, _number(cell, kept))

    return Examples(found()) if snapshot.exemplars else _NONE


def timings(
    snapshot: Snapshot,
    cells: Mapping[CellKey, CellSnapshot],
    sharing: Sharing,
    bounds: Mapping[str, tuple[float, ...]],
) -> Examples:
    """What events took, by latency indicator and group, valid or excluded."""

    def found() -> Found:
        for cell, kept in _kept(snapshot, cells):
            for series, ruling in sharing(cell.judgements):
                timed = _timed(ruling, kept)
                if timed is not None:
                    yield series, timed[0], Example(cell.key, kept, timed[1])

    return Examples(found(), bounds) if snapshot.exemplars else _NONE


def _number(cell: CellSnapshot, kept: Kept) -> int:
    """What was measured, as the specification says: of a counter what it was raised by."""
    return int(kept.value) if cell.duration is None else 1


def _timed(ruling: Ruling, kept: Kept) -> tuple[str, float] | None:
    """In which histogram an event is, and with which value; None without one: a stream that was never answered."""
    first_byte = not isinstance(ruling, Fixed) and ruling.first_byte
    value = kept.first_byte if first_byte else kept.value
    if value is None:
        return None
    excluded = ruled(ruling, kept.value, kept.first_byte) is Verdict.EXCLUDED
    return "excluded" if excluded else "valid", value


def _kept(snapshot: Snapshot, cells: Mapping[CellKey, CellSnapshot]) -> Iterator[tuple[CellSnapshot, Kept]]:
    each = ((cells[key], kept) for key, found in snapshot.exemplars if key in cells for kept in found)
    return paced(islice(each, _MOST))


def _told(example: Example, told: Attributes) -> Exemplar:
    kept = example.kept
    rest = {name: text for name, text in _attributes(example.key).items() if name not in told}
    return Exemplar(rest, example.value, kept.at_ns, kept.span_id, kept.trace_id)


def _attributes(key: CellKey) -> dict[str, str]:
    """What an event of a series is, by OpenTelemetry's names; of one that stands for overflowed ones nothing."""
    if key.overflow:
        return {attribute("category"): OVERFLOW}
    parts = ((name, getattr(key, name)) for name in _PARTS)
    found = {attribute(name): str(value) for name, value in parts if value is not None}
    if key.names:
        found[attribute("category")] = "|".join(key.names)
    return found | {attribute(name): text for name, text in key.attributes if name not in _OF_RESOURCE}
