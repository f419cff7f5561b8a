"""What is new in a snapshot: the writer's previous one, subtracted cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from slo_otel.ledger._series import Series
from slo_otel.plan import CellKey, Ruling
from slo_otel.recorder import CellSnapshot, Snapshot, Tally, tally

_ZERO = Tally()


@dataclass(slots=True)
class Target:
    """One series that a cell adds to, and what the cell had come to when it was last read."""

    series: Series
    ruling: Ruling | None
    """None counts every event as `total`: for what is counted by name."""
    seen: Tally = _ZERO

    def gained(self, cell: CellSnapshot) -> Tally:
        """The events since the last reading."""
        now = Tally(total=cell.count) if self.ruling is None else tally(cell, self.ruling)
        new, self.seen = now - self.seen, now
        return new


@dataclass(slots=True)
class _Known:
    """A cell as last read. The snapshot object itself tells whether anything changed."""

    cell: CellSnapshot
    targets: tuple[Target, ...]


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

    def changed(self, snapshot: Snapshot) -> Iterator[tuple[Target, Tally]]:
        """Every series that gained events, and which. A snapshot older than the writer's last one has none."""
        writer = self._writers.setdefault(snapshot.writer, _Writer(snapshot.taken_mono_ns))
        if snapshot.taken_mono_ns < writer.mono_ns:
            return
        writer.mono_ns = snapshot.taken_mono_ns
        before = writer.cells
        writer.cells = snapshot.cells
        for at, cell in enumerate(snapshot.cells):
            if at >= len(before) or before[at] is not cell:
                yield from self._gained(writer, cell)

    def _gained(self, writer: _Writer, cell: CellSnapshot) -> Iterator[tuple[Target, Tally]]:
        known = writer.known.get(cell.key)
        if known is not None and known.cell.start_ns == cell.start_ns:
            if cell.count <= known.cell.count:
                return
            known.cell = cell
        else:
            known = writer.known[cell.key] = _Known(cell, self._targets(cell))
        for target in known.targets:
            new = target.gained(cell)
            if new != _ZERO:
                yield target, new
