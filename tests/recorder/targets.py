"""What a storm goes over: each way into the recorder, and a few ways that are wrong."""

from __future__ import annotations

import math
import threading
from collections import Counter as Counts
from itertools import pairwise

from slo_otel.plan import CellKey
from slo_otel.recorder import Cell, CellSnapshot, Counter, Histogram, Recorder, Snapshot, tally
from slo_otel.recorder._exponential import SMALLEST
from slo_otel.recorder._fold import folded
from tests.recorder.samples import bucket, counted, recorder, request
from tests.recorder.storm import StuckError


class Timed:
    """A timed cell, recorded into as instrumentation does it: append, look at the length, fold."""

    key: CellKey = request()

    def __init__(self) -> None:
        self.registry = recorder()
        self.cell = self.registry.cell(self.key)
        self._last: dict[CellKey, CellSnapshot] = {}
        self._lock = threading.Lock()

    def record(self, value: float) -> None:
        """The inlined path."""
        self.cell.append(value)
        if len(self.cell.pending) >= self.cell.limit:
            self.cell.drain()

    def look(self) -> None:
        """A snapshot of the registry. Readers compare with the last one of whichever reader was last."""
        if not self._lock.acquire(blocking=False):
            self.registry.snapshot(0, 0)  # one that is not compared, since another reader or this thread is at it
            return
        try:
            for state in self.registry.snapshot(0, 0).cells:
                check_whole(state)
                if (before := self._last.get(state.key)) is not None:
                    check_grown(before, state)
                self._last[state.key] = state
        finally:
            self._lock.release()

    def settle(self, given: list[float]) -> None:
        """Every bucket and the sum, bit for bit."""
        (state,) = self.registry.snapshot(0, 0).cells
        assert state.count == len(given)
        check_histogram(state.duration, given)
        check_budget(self.registry)


class Called(Timed):
    """The same, by call."""

    def record(self, value: float) -> None:
        """`Cell.record`."""
        self.cell.record(value)


class Retracted(Timed):
    """The same, and half of the values are taken back and given again."""

    def record(self, value: float) -> None:
        """Twice, unless the first one is in the totals already."""
        super().record(value)
        if value % 2.0 < 1.0 and self.cell.retract(value):
            super().record(value)


class Streamed(Timed):
    """A cell with a first byte beside the duration; every fourth event has none."""

    key = request(event_stream=True)

    def record(self, value: float) -> None:
        """Both in one append. Which events have none is the value's to say."""
        self.cell.record(value, first_byte_of(value))

    def settle(self, given: list[float]) -> None:
        """Both histograms."""
        super().settle(given)
        firsts = [first for value in given if (first := first_byte_of(value)) is not None]
        check_histogram(self.registry.snapshot(0, 0).cells[0].first_byte, firsts)


def first_byte_of(value: float) -> float | None:
    """Half of the time, or never."""
    return None if value * 2**12 % 4 == 3 else value / 2


def times_of(value: float) -> int:
    """How many a counted event stands for: none for 0.0."""
    return int(value * 2**12) % 1000


class Counted(Timed):
    """A cell of events without a duration, some of them many at once."""

    key = counted("paid")

    def record(self, value: float) -> None:
        """`Cell.add`."""
        self.cell.add(times_of(value))

    def settle(self, given: list[float]) -> None:
        """The count, and what the SLO makes of it."""
        (state,) = self.registry.snapshot(0, 0).cells
        assert state.count == sum(map(times_of, given))
        assert [tally(state, each.ruling).good for each in state.judgements] == [state.count]


class Found(Timed):
    """Series that are found anew for each event, more of them than there may be."""

    SERIES = 60
    LIMIT = 40

    def __init__(self) -> None:
        super().__init__()
        self.registry = recorder(max_series=self.LIMIT)

    def record(self, value: float) -> None:
        """The series is the value's to say, so that all threads bring all of them."""
        self.registry.cell(self.key_of(value)).record(value)

    def key_of(self, value: float) -> CellKey:
        """Two statuses, so that there are two sorts of verdicts past the limit."""
        number = int(value * 2**12) % self.SERIES
        return request(500 if number % 2 else 200, f"/{number}")

    def settle(self, given: list[float]) -> None:
        """Each series has its own events, those past the limit have the rest, by their verdicts."""
        snapshot = self.registry.snapshot(0, 0)
        own = [cell for cell in snapshot.cells if not cell.key.overflow]
        over = [cell for cell in snapshot.cells if cell.key.overflow]
        assert len({cell.key for cell in snapshot.cells}) == len(snapshot.cells)
        assert len(own) <= self.LIMIT
        wanted = Counts(self.key_of(value) for value in given)
        assert all(cell.count <= wanted[cell.key] for cell in own)
        assert snapshot.limits.overflowed_events == sum(cell.count for cell in over)
        assert sum(cell.count for cell in snapshot.cells) == len(given)
        assert len(over) <= 2
        self._check_verdicts(snapshot, given)
        check_budget(self.registry)

    def _check_verdicts(self, snapshot: Snapshot, given: list[float]) -> None:
        bad = [value for value in given if self.key_of(value).status == 500]
        found = Counts[str]()
        for cell in snapshot.cells:
            judged = tally(cell, next(each.ruling for each in cell.judgements if each.indicator == "available"))
            found.update(good=judged.good, bad=judged.bad)
        assert found == Counts(good=len(given) - len(bad), bad=len(bad))
        assert sum(cell.duration.sum for cell in snapshot.cells if cell.duration is not None) == sum(given)


class Counting:
    """A recorder's counter, raised by `+=`."""

    def __init__(self) -> None:
        self.counter = Counter()
        self._last = 0

    def record(self, value: float) -> None:
        """One more, or many more."""
        self.counter += times_of(value)

    def look(self) -> None:
        """It never goes back."""
        before = self._last
        now = self.counter.value
        assert now >= before
        self._last = max(self._last, now)

    def settle(self, given: list[float]) -> None:
        """The sum of all."""
        assert self.counter.value == sum(map(times_of, given))


class Ungated(Timed):
    """Wrong: two threads may fold at once.

    It copies the list whole: CPython 3.11 collects garbage between measuring a slice and copying it; a finalizer
    that takes values out there would have it copy freed memory. Behind the gate nobody does.
    """

    def record(self, value: float) -> None:
        """Folds without asking."""
        self.cell.append(value)
        if len(self.cell.pending) >= 8:
            batch = list(self.cell.pending)
            self.cell._state = folded(self.cell._state, batch)
            del self.cell.pending[: len(batch)]


class TwoSteps(Counting):
    """Wrong: what is read, added to and written back, is lost when somebody writes in between."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def record(self, value: float) -> None:
        """A call lies between reading and writing."""
        before = self.total
        self.total = before + times_of(value)

    def look(self) -> None:
        """Nothing to see."""

    def settle(self, given: list[float]) -> None:
        """The sum of all, if nothing was lost."""
        assert self.total == sum(map(times_of, given))


class Waiting(Timed):
    """Wrong: a fold that is interrupted is waited for by its interruption."""

    def __init__(self) -> None:
        super().__init__()
        self._folding = threading.Lock()

    def record(self, value: float) -> None:
        """Waits for its turn; after a while it says that the turn will not come."""
        self.cell.append(value)
        if len(self.cell.pending) >= 8:
            if not self._folding.acquire(timeout=0.5):
                raise StuckError
            try:
                self.cell.drain()
            finally:
                self._folding.release()


TARGETS = (Timed, Called, Retracted, Streamed, Counted, Found, Counting)
"""Every way into the recorder that promises to be exact."""


def check_histogram(found: Histogram | None, given: list[float]) -> None:
    """Every count by brute force, and the exact sum."""
    assert found is not None
    assert found.sum == sum(given)
    distinct = Counts(given)
    assert found.counts == tuple(
        sum(times for value, times in distinct.items() if lower < value <= upper)
        for lower, upper in pairwise((-math.inf, *found.bounds, math.inf))
    )
    buckets: Counts[int] = Counts()
    for value, times in distinct.items():
        if value >= SMALLEST:
            buckets[bucket(value)] += times
    assert found.exponential == tuple(sorted(buckets.items()))
    assert found.zeros == sum(times for value, times in distinct.items() if value < SMALLEST)


def check_whole(state: CellSnapshot) -> None:
    """Every count of one snapshot agrees with every other."""
    for judgement in state.judgements:
        judged = tally(state, judgement.ruling)
        assert judged.good + judged.bad + judged.excluded == state.count
    if state.duration is not None:
        assert state.count == sum(state.duration.counts)
    for histogram in (state.duration, state.first_byte):
        if histogram is not None:
            total = sum(count for _, count in histogram.exponential) + histogram.zeros
            assert total == sum(histogram.counts) <= state.count


def check_grown(before: CellSnapshot, after: CellSnapshot) -> None:
    """No number of a later snapshot is below that of an earlier one."""
    assert after.count >= before.count
    for old, new in ((before.duration, after.duration), (before.first_byte, after.first_byte)):
        if old is None or new is None:
            assert new is old
            continue
        assert new.sum >= old.sum
        assert new.zeros >= old.zeros
        assert all(a <= b for a, b in zip(old.counts, new.counts, strict=True))
        later = dict(new.exponential)
        assert all(later.get(index, 0) >= count for index, count in old.exponential)


def check_budget(registry: Recorder) -> None:
    """What cells may hold, and what none has been given, is what there was: growth is neither lost nor made."""
    cells: list[Cell] = list(registry._cells.values())
    budget = registry._budget
    given = sum(cell.limit for cell in cells)
    kept = budget.growth + sum(budget.series._limits) + sum(budget.overflow._limits)
    assert given + kept == 2**19
