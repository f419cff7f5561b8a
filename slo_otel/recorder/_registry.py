"""The registry of one process: finds cells, takes snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from slo_otel import threads
from slo_otel.clock import Clock
from slo_otel.plan import OVERFLOW, CellKey, Judgement, Plan, judge
from slo_otel.recorder._budget import START, Budget, Permits
from slo_otel.recorder._cell import Cell
from slo_otel.recorder._exemplars import Exemplars
from slo_otel.recorder._gate import Counter
from slo_otel.recorder._gauges import Gauges
from slo_otel.recorder._journal import Attributes, Journal
from slo_otel.recorder._layout import Layouts
from slo_otel.recorder._overflow import merged
from slo_otel.recorder._snapshot import CellSnapshot, GaugePoint, Limits, Snapshot

_BREATH: Final = 8192
"""Values (and 32 more for each cell) that a snapshot folds before it lets other threads run: about 1 ms."""
_REMEMBERED: Final = 1024
"""Overflowed keys whose cell is remembered, so that each of their events is not judged again."""


class Recorder:
    """Cells, gauges and marks of one process.

    Finding a cell takes no lock: a cell is made aside and `dict.setdefault`, one C call, decides which of two
    threads (or of a thread and the signal handler or `__del__` that interrupted it) made the one that all use. The
    limit on series is a list of permits, since `list.pop` is atomic too. So nothing on the record path waits, and
    nothing is held when the process forks. `CellKey` hashes and compares in C: it is a tuple of plain values.

    `max_series`, `max_pending`, `max_marks` and `max_gauges` bound its memory; what overflows is in `Limits`.
    `late_changes`, `after_body_errors`, `detached_events` and `overflowed_values` are raised by `+= 1`, exactly.
    `exemplars` keeps single events for whoever has a reason to show them.
    Raises `ConfigurationError` when `max_pending` is too small for `max_series`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        clock: Clock,
        writer: str,
        resource: Mapping[str, str],
        max_series: int = 10_000,
        max_pending: int = 2**19,
        max_marks: int = 10_000,
        max_gauges: int = 1_000,
    ) -> None:
        self.plan = plan
        self.writer = writer
        self.resource = dict(resource)
        self.late_changes = Counter()
        self.after_body_errors = Counter()
        self.detached_events = Counter()
        self.overflowed_values = Counter()
        self._clock = clock
        self._cells: dict[CellKey, Cell] = {}
        self._overflowed: dict[CellKey, Cell] = {}
        self._full = False
        self._layouts = Layouts(plan)
        self._budget = Budget(max_series, 16 + max_series // 100, max_pending)
        self._grow = self._budget.grow  # one bound method for all cells
        self.exemplars = Exemplars()
        self._gauges = Gauges(max_gauges)
        self._journal = Journal(max_marks)

    def cell(self, key: CellKey) -> Cell:
        """The cell of a resolved key, made if need be; past the limit, the one of its names and verdicts."""
        return self._cells.get(key) or self._overflowed.get(key) or self._make(key)

    def gauge(self, name: str, value: float, attributes: Attributes = (), *, at_ns: int | None = None) -> None:
        """Keep the last value of a gauge; `at_ns` is wall time, read here when not given."""
        when = self._clock.read().wall_ns if at_ns is None else at_ns
        if not self._gauges.set(GaugePoint(name, attributes, float(value), when)):
            self.overflowed_values.add()

    def mark(
        self,
        kind: str,
        name: str,
        key: str | None,
        *,
        at_ns: int,
        started_ns: int | None = None,
        attributes: Attributes = (),
    ) -> None:
        """Write one line of the journal (`Mark`); when it is full, count it as dropped."""
        self._journal.write(kind, name, key, at_ns, started_ns, attributes)

    def trim(self, sequence: int) -> None:
        """Forget the marks up to `sequence`: the ledger has them."""
        self._journal.trim(sequence)

    def snapshot(self, wall_ns: int, mono_ns: int, *, late: bool = False) -> Snapshot:
        """Everything known now, as taken at these times. Resets nothing; no count is below an earlier snapshot's.

        Cells come in the order they were made. Any thread may call it; cell by cell, others run in between.
        """
        cells = self._snapshots()
        return Snapshot(
            self.writer,
            wall_ns,
            mono_ns,
            cells,
            self._gauges.read(),
            self._journal.read(),
            (),
            self._limits(cells),
            late,
            self.exemplars.read(wall_ns),
        )

    def restart(self, writer: str) -> None:
        """In the child of a fork, where no other thread runs: a new writer whose totals start now, at zero.

        Cells stay the same objects, so whoever holds one goes on; the parent keeps what was pending at the fork.
        """
        self.writer = writer
        self._budget.renew()
        start_ns = self._clock.read().wall_ns
        for cell in list(self._cells.values()):
            cell.restart(start_ns)
        for counter in (self.late_changes, self.after_body_errors, self.detached_events, self.overflowed_values):
            counter.restart()
        self.exemplars.restart()
        self._gauges.restart()
        self._journal.restart()

    def _make(self, key: CellKey) -> Cell:
        judgements = judge(self.plan, key)
        made = self._permitted(key, judgements, self._budget.series)
        return made or self._cells.get(key) or self._overflow(key, judgements)

    def _permitted(self, key: CellKey, judgements: tuple[Judgement, ...], permits: Permits) -> Cell | None:
        """The cell of a key, made here or by another thread meanwhile; None when no more may be made."""
        limit = permits.take()
        if limit is None:
            return None
        made = self._new(key, judgements, limit)
        found = self._cells.setdefault(key, made)
        if found is not made:
            permits.give_back(limit)
        return found

    def _new(self, key: CellKey, judgements: tuple[Judgement, ...], limit: int) -> Cell:
        layout = self._layouts.of(key, judgements)
        shared = self._layouts.shared(judgements)
        return Cell(key, shared, layout, self._grow, start_ns=self._clock.read().wall_ns, limit=limit)

    def _overflow(self, key: CellKey, judgements: tuple[Judgement, ...]) -> Cell:
        self._full = True
        over, mapped = merged(key, judgements, key.names)
        found = self._cells.get(over) or self._permitted(over, mapped, self._budget.overflow)
        if found is None:
            # Names are the callers' to bound. Should they not, verdicts are left, which the policy bounds.
            over, mapped = merged(key, judgements, (OVERFLOW,))
            found = self._cells.get(over) or self._cells.setdefault(over, self._new(over, mapped, START))
        if len(self._overflowed) >= _REMEMBERED:
            self._overflowed.clear()
        self._overflowed[key] = found
        return found

    def _snapshots(self) -> tuple[CellSnapshot, ...]:
        lock = self._budget.adapting
        adapts = lock.acquire(blocking=False)
        try:
            return tuple(self._each(adapts=adapts))
        finally:
            if adapts:
                lock.release()

    def _each(self, *, adapts: bool) -> list[CellSnapshot]:
        found: list[CellSnapshot] = []
        work = 0
        for cell in list(self._cells.values()):
            if cell.pending:
                work += len(cell.pending) + 32
                if work > _BREATH:
                    work = 0
                    threads.sleep(0)  # lets waiting threads have the interpreter, which a busy loop keeps for 5 ms
            found.append(cell.snapshot())
            if adapts and (cell.refills or cell.limit > cell.floor):
                self._budget.adapt(cell)
        return found

    def _limits(self, cells: tuple[CellSnapshot, ...]) -> Limits:
        return Limits(
            series=len(cells),
            overflowed_events=sum(cell.count for cell in cells if cell.key.overflow) if self._full else 0,
            overflowed_values=self.overflowed_values.value,
            dropped_marks=self._journal.dropped.value,
            late_changes=self.late_changes.value,
            after_body_errors=self.after_body_errors.value,
            detached_events=self.detached_events.value,
        )
