"""What is new in a snapshot: the writer's previous one, subtracted cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from slo_otel.ledger._series import Series
from slo_otel.plan import CellKey, Fixed, Ruling, Split
from slo_otel.recorder import CellSnapshot, Snapshot, Tally, tally

_ONE: Final = Tally(total=1)
"""An event that is counted by its name."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A series that a cell adds to, and to which each of its events means the same."""

    series: Series
    each: Tally

    def gained(self, cell: CellSnapshot, new: int) -> tuple[Tally, int]:
        """What `new` events of the cell add, and how many times."""
        return self.each, new


@dataclass(slots=True)
class Timed:
    """A series that a cell adds to, and to which the duration of an event decides what it means."""

    series: Series
    ruling: Split
    seen: Tally = Tally()

    def gained(self, cell: CellSnapshot, new: int) -> tuple[Tally, int]:
        """What the cell came to since it was last read, once."""
        before, self.seen = self.seen, tally(cell, self.ruling)
        return self.seen - before, 1


Target: TypeAlias = Alike | Timed


def target_of(series: Series, cell: CellSnapshot, ruling: Ruling | None) -> Target:
    """How a new cell adds to a series; `ruling` None counts its events by name."""
    match ruling:
        case None:
            return Alike(series, _ONE)
        case Fixed():
            return Alike(series, tally(CellSnapshot(cell.key, (), cell.start_ns, 1, None), ruling))
        case Split():
            return Timed(series, ruling)


@dataclass(slots=True)
class _Known:
    """A cell as last read."""

    start_ns: int
    targets: tuple[Target, ...]
    count: int = 0


@dataclass(slots=True)
class _Writer:
    mono_ns: int
    cells: tuple[CellSnapshot, ...] = ()
    known: dict[CellKey, _Known] = field(default_factory=dict)


class Writers:
    """The last snapshot of every writer. A new writer starts at zero. Not thread-safe: the ledger locks."""

    def __init__(self, targets: Callable[[CellSnapshot], tuple[Target, ...]]) -> None:
        self._targets = targets
        self._writers: dict[str, _Writer] = {}

    def changed(self, snapshot: Snapshot) -> Iterator[tuple[CellSnapshot, int, tuple[Target, ...]]]:
        """Every cell that has new events, how many, and its series. An older snapshot than the last has none."""
        writer = self._writers.setdefault(snapshot.writer, _Writer(snapshot.taken_mono_ns))
        if snapshot.taken_mono_ns < writer.mono_ns:
            return
        writer.mono_ns = snapshot.taken_mono_ns
        before, writer.cells = writer.cells, snapshot.cells
        for at, cell in enumerate(snapshot.cells):
            if at < len(before) and before[at] is cell:  # an unchanged cell is the same object
                continue
            known = writer.known.get(cell.key)
            if known is None or known.start_ns != cell.start_ns:
                known = writer.known[cell.key] = _Known(cell.start_ns, self._targets(cell))
            new = cell.count - known.count
            if new > 0:
                known.count = cell.count
                yield cell, new, known.targets
