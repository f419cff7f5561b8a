"""What every exported series needs: its cells, a start time that never moves, and OpenTelemetry's attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeAlias, TypeVar

from slo_otel import names
from slo_otel.export._paced import paced
from slo_otel.plan import CellKey, Judgement, Ruling
from slo_otel.recorder import CellSnapshot, Snapshot

Attributes = Mapping[str, str]


class Told(dict[str, str]):
    """The attributes of a series, with room for their encoding."""

    __slots__ = ("encoded",)

    def __init__(self, found: Mapping[str, str]) -> None:
        super().__init__(found)
        self.encoded = b""
        """Filled by the encoder, which meets the same series in every export; empty before."""


Group = tuple[tuple[str, str], ...]

Series: TypeAlias = tuple[str, Group]
"""The name of an SLO or indicator, and a group."""


class OfSeries(Protocol):
    """What a point of a series is made of."""

    @property
    def series(self) -> Series:
        """The series."""

    @property
    def verdict(self) -> str:
        """Which of its points."""


Member: TypeAlias = tuple[CellSnapshot, Ruling]
"""A cell, and what it means to a series."""
Sharing: TypeAlias = Callable[[tuple[Judgement, ...]], Iterable[tuple[Series, Ruling]]]
Row = TypeVar("Row")
Among: TypeAlias = Callable[[Mapping[Series, None], Iterable[Series]], Iterable[Series]]
"""From the series that changed and all that are known to those that are wanted."""
AddedUp: TypeAlias = Callable[[Series, Sequence[Member], int], tuple[Row, ...]]
"""From a series, its members and the time of the snapshot to its rows."""


class Totals(Generic[Row]):
    """Cells added up by series, as rows of which each becomes a point.

    A cell that did not change is the same object in the next snapshot, and most are idle: only series with one
    that did are added up again, and the rows of all others stay as they are. Cells come and never go.
    """

    def __init__(self, standing: Iterable[Series], sharing: Sharing, added_up: AddedUp[Row]) -> None:
        """`standing` series exist without a cell; `sharing` says which series the events of a cell belong to."""
        self._sharing = sharing
        self._added_up = added_up
        self.cells: dict[CellKey, CellSnapshot] = {}
        """The newest of each cell."""
        self._members: dict[Series, list[tuple[CellKey, Ruling]]] = {series: [] for series in standing}
        self._rows: dict[Series, tuple[Row, ...]] = {}
        self._due = dict.fromkeys(self._members)
        """Series to be added up again; empty once they all were."""

    def rows(self, snapshot: Snapshot, among: Among) -> Sequence[Row]:
        """The rows of the series that `among` picks, the standing ones first."""
        self._note(snapshot.cells)
        wanted = among(self._due, self._rows)
        for series in paced(self._due):
            members = [(self.cells[key], ruling) for key, ruling in self._members[series]]
            self._rows[series] = self._added_up(series, members, snapshot.taken_wall_ns)
        self._due = {}
        found: list[Row] = []
        for series in paced(wanted):
            found += self._rows[series]
        return found

    def _note(self, cells: Iterable[CellSnapshot]) -> None:
        """Take the cells that changed, and let their series be due."""
        for cell in paced(cells):
            known = self.cells.get(cell.key)
            if known is not cell:
                self.cells[cell.key] = cell
                for series, ruling in self._sharing(cell.judgements):
                    self._due[series] = None
                    if known is None:
                        self._members.setdefault(series, []).append((cell.key, ruling))


class Origins:
    """Who each series of a metric is and since when it counts, found out when it is first seen.

    A start never moves (OTLP data model); the attributes are one object, which keeps its encoding.
    """

    def __init__(self, born_ns: int) -> None:
        """`born_ns` is the wall time since when this process counts."""
        self._born_ns = born_ns
        self._known: dict[Series, tuple[Told, int]] = {}

    def of(self, series: Series, members: Iterable[Member], time_ns: int) -> tuple[Told, int]:
        """The attributes of `series`, and its start: before its first point, also where that comes early."""
        known = self._known.get(series)
        if known is None:
            start_ns = started(_born(self._born_ns, series, members), time_ns)
            known = self._known[series] = attributes(*series), start_ns
        return known


def started(start_ns: int, time_ns: int) -> int:
    """The start that a point at `time_ns` has: one before it.

    A series may be younger than the tick whose time its first point has, and a wall clock that stepped back is
    behind every start: only then is it one nanosecond before the point.
    """
    return min(start_ns, time_ns - 1)


def _born(process_ns: int, series: Series, members: Iterable[Member]) -> int:
    """Since when a series counts: as its oldest cell, and as the process where it needs no cell to exist."""
    starts = [cell.start_ns for cell, _ in members]
    return min(starts if series[1] else [process_ns, *starts])


def attributes(slo: str, group: Group, extra: Mapping[str, str] | None = None) -> Told:
    """`slo.name`, the group's attributes translated, and `extra`."""
    return Told(
        {
            names.SLO_NAME: slo,
            **{names.attribute(name): value for name, value in group},
            **(extra or {}),
        }
    )
