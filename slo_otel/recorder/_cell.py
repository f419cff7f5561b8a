"""One series: where an event goes in two bytecode-cheap steps, and how it gets into the totals.

What makes it exact without a lock on the record path:

1. `list.append`, `list[:n]` and `del list[:n]` are each atomic: one C call under the GIL, one critical section on
   the list itself on a free-threaded build. Nothing else is relied on.
2. `pending` is the same list for as long as the cell lives, forks included, so a caller may hold `cell.append`.
3. Only the holder of the gate takes values out. It takes the `n` it has seen, from the front, while others append
   at the back: the slice and the deletion are about the same `n` values whatever arrives between them.
4. Totals are one frozen object, replaced at once. Whoever reads it sees a whole state: counts only grow, and every
   count in it agrees with every other.
5. The gate is tried, never waited for, on the record path. A fold that cannot start leaves its values in `pending`,
   which whoever folds next takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from slo_otel import errors
from slo_otel.plan import CellKey, Judgement
from slo_otel.recorder._fold import Value, folded
from slo_otel.recorder._gate import MOST_AT_ONCE, Gate
from slo_otel.recorder._layout import Layout
from slo_otel.recorder._snapshot import CellSnapshot
from slo_otel.threads import RLock

_PATIENCE: Final = 4
"""Folds after which a cell asks for a higher limit: of 64 events each costs twice what it does of 1,024."""


class Cell(Gate):
    """A bound series. Hot path: `cell.append(value)`, then `if len(cell.pending) >= cell.limit: cell.drain()`.

    A value is the duration in seconds; where `streamed`, the pair (duration, seconds to the first byte or None) in
    one append; where `counted`, a number of events. `record` and `add` do the same by call.
    """

    __slots__ = ("_grow", "_layout", "_state", "append", "floor", "limit", "pending", "refills")

    def __init__(
        self,
        key: CellKey,
        judgements: tuple[Judgement, ...],
        layout: Layout,
        grow: Callable[[Cell], None],
        *,
        start_ns: int,
        limit: int,
    ) -> None:
        super().__init__()
        self.pending: list[Value] = []
        self.append: Callable[[Value], None] = self.pending.append
        self.limit = limit
        """Pending values that make the next event fold. Changed within the registry's budget."""
        self.floor = limit
        """What `limit` never goes below."""
        self.refills = 0
        """Inline folds since the last snapshot. Only a hint for `limit`, so a lost one does not matter."""
        self._grow = grow
        self._layout = layout
        self._state = CellSnapshot(key, judgements, start_ns, 0, layout.duration, layout.first_byte)

    @property
    def streamed(self) -> bool:
        """Whether a value is a pair of duration and first byte."""
        return self._layout.streamed

    @property
    def counted(self) -> bool:
        """Whether a value is a number of events, without durations."""
        return self._layout.counted

    @property
    def bounds(self) -> tuple[float, ...]:
        """The bounds of its histograms in seconds, ascending; none where events are counted, or just timed."""
        return self._layout.bounds

    @property
    def key(self) -> CellKey:
        """The series."""
        return self._state.key

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """What its events mean to each SLO."""
        return self._state.judgements

    def record(self, duration: float, first_byte: float | None = None) -> None:
        """Add one event, whatever the shape of the cell. Seconds; `first_byte` None was never answered."""
        layout = self._layout
        if layout.streamed:
            self.append((duration, first_byte))
        else:
            self.append(1 if layout.counted else duration)
        if len(self.pending) >= self.limit:
            self.drain()

    def add(self, n: int = 1) -> None:
        """Add `n` events without a duration; below 1 it adds nothing. Raises `TypeError` where events have one."""
        if not self.counted:
            raise TypeError("add() is for counted events; record(duration) for timed ones")
        self.append(n)
        if len(self.pending) >= self.limit:
            self.drain()

    def retract(self, duration: float) -> bool:
        """Take one pending event of this duration back; False where none is, or while somebody folds.

        For events of one value, which durations alone tell apart: any equal one will do.
        """
        lock = self.try_enter()
        if lock is None:
            return False
        try:
            self._inside = True
            self.pending.remove(duration)
        except ValueError:
            return False
        finally:
            self._inside = False
            lock.release()
        return True

    def drain(self) -> None:
        """Fold what is pending unless somebody does: at most 1,024 values, so that a request is held for 0.1 ms."""
        lock = self.try_enter()
        if lock is None:
            return
        try:
            self._inside = True
            self.refills += 1
            self._fold(lock)
            if self.refills and not self.refills % _PATIENCE and self.limit < MOST_AT_ONCE:
                self._grow(self)
        finally:
            self._inside = False
            lock.release()

    def snapshot(self) -> CellSnapshot:
        """The totals with everything that was pending at the call; the same object when there was nothing.

        When the gate stays shut (this thread is folding already, or another one is frozen), the totals as they are:
        what is pending then is in the next one.
        """
        if not self.pending:
            return self._state
        lock = self.enter()
        if lock is None:
            return self._state
        try:
            self._inside = True
            left = len(self.pending)
            while left > 0 and (taken := self._fold(lock)):
                left -= taken
        finally:
            self._inside = False
            lock.release()
        return self._state

    def restart(self, start_ns: int) -> None:
        """Zero in place in the child of a fork, where no other thread runs. Who holds the cell goes on with it."""
        self.renew()
        self.pending.clear()
        self.refills = 0
        state, layout = self._state, self._layout
        self._state = CellSnapshot(state.key, state.judgements, start_ns, 0, layout.duration, layout.first_byte)

    def _fold(self, lock: RLock) -> int:
        """Move up to 1,024 pending values into the totals; how many. The caller holds the gate."""
        pending = self.pending
        n = len(pending)
        if n > MOST_AT_ONCE:
            n = MOST_AT_ONCE
        elif not n:
            return 0
        try:
            state = folded(self._state, pending[:n])
        except Exception as fault:  # noqa: BLE001 - the record path of the host
            # A fault of ours costs this batch, neither the request nor the memory of a stuck cell.
            errors.swallow(fault, "recorder.fold")
            state = self._state
        # No call is made from here to the return, so on CPython no handler raises between the halves of the commit,
        # and no other thread puts a fresh lock in place.
        if self._lock is not lock or not self._inside:
            return 0
        self._state = state
        del pending[:n]
        return n
