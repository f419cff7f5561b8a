"""What every exported series needs: its cells, a start time that never moves, and OpenTelemetry's attributes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from operator import is_
from typing import Generic, TypeAlias, TypeVar

from slo_otel import names
from slo_otel.export._paced import paced
from slo_otel.plan import CellKey, Judgement, Ruling
from slo_otel.recorder import CellSnapshot

Attributes = Mapping[str, str]
Group = tuple[tuple[str, str], ...]

Series: TypeAlias = tuple[str, Group]
"""The name of an SLO or indicator, and a group."""
Member: TypeAlias = tuple[CellSnapshot, Ruling]
"""A cell, and what it means to a series."""
Sharing: TypeAlias = Callable[[tuple[Judgement, ...]], Iterable[tuple[Series, Ruling]]]
V = TypeVar("V")


class Totals(Generic[V]):
    """Cells added up by series. A series of which no cell changed is not added up again: most are idle.

    A cell that did not change is the same object in the next snapshot, and so is what it adds here.
    """

    def __init__(
        self,
        standing: Iterable[Series],
        sharing: Sharing,
        added_up: Callable[[Series, list[Member]], V],
    ) -> None:
        """`standing` series exist without a cell; `sharing` says which series the events of a cell belong to."""
        self._standing = tuple(standing)
        self._sharing = sharing
        self._added_up = added_up
        self._shares: dict[CellKey, tuple[tuple[Series, Member], ...]] = {}
        self._cells: dict[CellKey, CellSnapshot] = {}
        self._held: dict[Series, tuple[list[Member], V]] = {}

    def of(self, cells: Iterable[CellSnapshot]) -> dict[Series, V]:
        """The value of each series, the standing ones first."""
        members: dict[Series, list[Member]] = {series: [] for series in self._standing}
        for cell in paced(cells):
            for series, member in self._shared(cell):
                members.setdefault(series, []).append(member)
        return {series: self._value(series, found) for series, found in paced(members.items())}

    def _shared(self, cell: CellSnapshot) -> tuple[tuple[Series, Member], ...]:
        key = cell.key
        if self._cells.get(key) is not cell:
            self._shares[key] = tuple((series, (cell, ruling)) for series, ruling in self._sharing(cell.judgements))
            self._cells[key] = cell
        return self._shares[key]

    def _value(self, series: Series, members: list[Member]) -> V:
        held = self._held.get(series)
        if held is None or len(held[0]) != len(members) or not all(map(is_, held[0], members)):
            held = self._held[series] = (members, self._added_up(series, members))
        return held[1]


class Starts:
    """The start time of each cumulative series: fixed when the series is first seen (OTLP data model).

    A start must lie before the point's time. A series may be younger than the tick whose time its first point has,
    and a wall clock that stepped back is behind every start: only then is what is sent one nanosecond before it.
    """

    def __init__(self) -> None:
        self._starts: dict[Hashable, int] = {}

    def of(self, series: Hashable, born_ns: int, time_ns: int) -> int:
        """The start of `series`, which is `born_ns` when this is its first point."""
        return min(self._starts.setdefault(series, min(born_ns, time_ns - 1)), time_ns - 1)


def born(process_ns: int, series: Series, members: Iterable[Member]) -> int:
    """Since when a series counts: as its oldest cell, and as the process where it needs no cell to exist."""
    starts = [cell.start_ns for cell, _ in members]
    return min(starts if series[1] else [process_ns, *starts])


def attributes(slo: str, group: Group, extra: Mapping[str, str] | None = None) -> Attributes:
    """`slo.name`, the group's attributes translated, and `extra`."""
    return {
        names.SLO_NAME: slo,
        **{names.attribute(name): value for name, value in group},
        **(extra or {}),
    }
