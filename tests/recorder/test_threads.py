"""Eight threads, a switch interval of a microsecond, and readers that look all the time."""

from __future__ import annotations

import collections
import random
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from slo_otel.recorder import Cell, CellSnapshot, Counter, Snapshot, tally
from tests.recorder.samples import bucket, counted, explicit, left, recorder, request

THREADS = 8
EVENTS = 20_000


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(work: Callable[[int], None], watch: Callable[[], None] | None = None) -> None:
    """Run `work` in eight threads at once, and `watch` again and again until they are done."""
    start = threading.Barrier(THREADS + 1)

    def run(at: int) -> None:
        start.wait()
        work(at)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    start.wait()
    while any(thread.is_alive() for thread in threads):
        if watch is None:
            break
        watch()
    for thread in threads:
        thread.join()


def values_of(at: int) -> list[float]:
    """One thread's durations: sums of them are exact in any order."""
    source = random.Random(at)
    return [source.randrange(2**14) / 2**12 for _ in range(EVENTS)]


def hammer(cell: Cell, values: list[float]) -> None:
    """The inlined path in a tight loop."""
    append, pending = cell.append, cell.pending
    for value in values:
        append(value)
        if len(pending) >= cell.limit:
            cell.drain()


def test_no_event_and_no_sum_is_lost_while_snapshots_are_taken() -> None:
    """Counts in every bucket and the sum, bit for bit, of 160,000 events in one cell."""
    registry = recorder()
    cell = registry.cell(request())
    given = [values_of(at) for at in range(THREADS)]
    together(lambda at: hammer(cell, given[at]), lambda: void(registry.snapshot(0, 0)))
    every = [value for values in given for value in values]
    state = registry.snapshot(0, 0).cells[0]
    assert state.count == len(every)
    assert state.duration is not None
    assert state.duration.sum == sum(every)
    assert state.duration.counts == explicit(state.duration.bounds, every)
    distinct = collections.Counter(every)
    zeros = distinct.pop(0.0, 0)
    buckets: collections.Counter[int] = collections.Counter()
    for value, times in distinct.items():
        buckets[bucket(value)] += times
    assert state.duration.exponential == tuple(sorted(buckets.items()))
    assert state.duration.zeros == zeros


def void(_snapshot: Snapshot) -> None:
    """Takes what is not looked at."""


def whole(cell: CellSnapshot) -> bool:
    """Whether every count of one snapshot agrees with every other."""
    if cell.duration is None:
        return all(_sized(cell, at) for at in range(len(cell.judgements)))
    total = sum(count for _, count in cell.duration.exponential) + cell.duration.zeros
    return cell.count == total == sum(cell.duration.counts) and all(
        _sized(cell, at) for at in range(len(cell.judgements))
    )


def _sized(cell: CellSnapshot, at: int) -> bool:
    found = tally(cell, cell.judgements[at].ruling)
    return found.good + found.bad + found.excluded == cell.count


def test_every_snapshot_is_whole_and_none_goes_back() -> None:
    """good + bad + excluded is the count, all histograms agree, and no verdict count ever falls."""
    registry = recorder()
    keys = [request(200), request(500), left(), request(200, event_stream=True), counted("paid")]
    last: dict[tuple[int, int], tuple[int, int, int]] = {}
    seen: list[int] = []

    def work(at: int) -> None:
        source = random.Random(at)
        cells = [registry.cell(key) for key in keys]
        for number in range(EVENTS // 4):
            cells[number % len(cells)].record(source.random() * 4, source.random())

    def watch() -> None:
        snapshot = registry.snapshot(0, 0)
        seen.append(sum(cell.count for cell in snapshot.cells))
        for at, cell in enumerate(snapshot.cells):
            assert whole(cell)
            for number, judgement in enumerate(cell.judgements):
                now = tally(cell, judgement.ruling)
                before = last.get((at, number), (0, 0, 0))
                last[at, number] = (now.good, now.bad, now.excluded)
                assert all(old <= new for old, new in zip(before, last[at, number], strict=True))

    together(work, watch)
    watch()
    assert seen == sorted(seen)
    assert seen[-1] == THREADS * (EVENTS // 4)


def test_readers_at_the_same_time_lose_nothing() -> None:
    """Two threads take snapshots while six record: a flush may meet a tick."""
    registry = recorder()
    cell = registry.cell(request())

    def work(at: int) -> None:
        if at < 2:
            for _ in range(300):
                registry.snapshot(0, 0)
        else:
            hammer(cell, [0.5] * EVENTS)

    together(work)
    assert registry.snapshot(0, 0).cells[0].count == 6 * EVENTS


def test_threads_that_find_new_series_at_once_agree_on_the_cell() -> None:
    """No cell is made twice, no event goes missing, and there are never more series than permitted."""
    registry = recorder(max_series=100)
    chosen: list[list[Cell]] = [[] for _ in range(THREADS)]

    def work(at: int) -> None:
        for number in range(200):
            cell = registry.cell(request(200, f"/{number}"))
            cell.record(0.5)
            chosen[at].append(cell)

    together(work, lambda: void(registry.snapshot(0, 0)))
    snapshot = registry.snapshot(0, 0)
    usual = [cell for cell in snapshot.cells if not cell.key.overflow]
    assert 100 - THREADS < len(usual) <= 100  # a thread that lost a race has given its permit back too late
    assert len({cell.key for cell in snapshot.cells}) == len(snapshot.cells)
    assert sum(cell.count for cell in snapshot.cells) == THREADS * 200
    held = {id(cell) for cells in chosen for cell in cells}
    assert len(held) == len(snapshot.cells)


def test_marks_of_all_threads_are_numbered_once_and_confirmed_ones_go() -> None:
    """Every mark is read exactly once by a reader that confirms what it has seen."""
    registry = recorder(max_marks=10**6)
    seen: list[int] = []
    keys: set[str | None] = set()

    def read() -> None:
        marks = registry.snapshot(0, 0).journal
        seen.extend(mark.sequence for mark in marks)
        keys.update(mark.key for mark in marks)
        if marks:
            registry.trim(marks[-1].sequence)

    def work(at: int) -> None:
        for number in range(2_000):
            registry.mark("begin", "order", f"{at}-{number}", at_ns=number)

    together(work, read)
    read()
    assert seen == list(range(1, THREADS * 2_000 + 1))
    assert len(keys) == THREADS * 2_000


def test_no_tick_of_a_counter_is_lost() -> None:
    """`+=` on a recorder's counter is exact, as it is not on a plain int."""
    registry = recorder()

    def work(_at: int) -> None:
        for _ in range(EVENTS):
            registry.late_changes += 1

    together(work, lambda: void(registry.snapshot(0, 0)))
    assert registry.snapshot(0, 0).limits.late_changes == THREADS * EVENTS
    assert isinstance(registry.late_changes, Counter)


@pytest.mark.parametrize("breathes", [True, False])
def test_others_run_while_a_long_snapshot_is_taken(monkeypatch: pytest.MonkeyPatch, breathes: bool) -> None:
    """The interpreter is handed on about every millisecond; without that nobody else would run until the end."""
    if not breathes:
        monkeypatch.setattr("slo_otel.recorder._registry._BREATH", 10**9)
    registry = recorder()
    for at in range(2000):
        registry.cell(request(200, f"/{at}")).pending.extend([0.5] * 10)
    ticks, running, stop = [0], threading.Event(), threading.Event()

    def tick() -> None:
        while not stop.wait(0.0001):
            ticks[0] += 1
            running.set()

    other = threading.Thread(target=tick)
    other.start()
    running.wait()
    sys.setswitchinterval(30)  # nobody is made to hand on
    before = ticks[0]
    registry.snapshot(0, 0)
    passed = ticks[0] - before
    sys.setswitchinterval(1e-6)
    stop.set()
    other.join()
    assert (passed > 2) is breathes


class Ungated(Cell):
    """What a cell would be if folding did not exclude folding."""

    __slots__ = ()

    def drain(self) -> None:
        """Fold without asking."""
        self._fold(self._lock)


def test_the_gate_is_what_makes_it_exact() -> None:
    """Without it the same stress counts wrong within a few rounds, so the stress can tell."""

    def wrong() -> bool:
        registry = recorder()
        cell = registry.cell(request())
        open_ = Ungated(cell.key, cell.judgements, cell._layout, start_ns=0, limit=8)
        together(lambda _at: hammer(open_, [0.5] * (EVENTS // 4)))
        return open_.snapshot().count != THREADS * (EVENTS // 4)

    assert any(wrong() for _ in range(50))


def test_a_plain_sum_of_two_steps_loses_events_under_this_stress() -> None:
    """The negative control of the method: read, call, write back is caught at once."""
    total = 0

    def more(before: int) -> int:
        return before + 1

    def work(_at: int) -> None:
        nonlocal total
        for _ in range(EVENTS):
            total = more(total)

    def lost() -> bool:
        nonlocal total
        total = 0
        together(work)
        return total != THREADS * EVENTS

    assert any(lost() for _ in range(50))
