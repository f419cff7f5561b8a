"""Eight threads, a switch interval of a microsecond, and readers that look all the time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from slo_otel.recorder import Cell, Snapshot
from tests.patience import TRIES
from tests.recorder.samples import recorder, request
from tests.recorder.storm import switching
from tests.stress import scaled

THREADS = 8


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    with switching(1e-6):
        yield


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


def void(_snapshot: Snapshot) -> None:
    """Takes what is not looked at."""


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


@pytest.mark.soak
def test_gauges_of_all_threads_are_whole_and_never_more_than_permitted() -> None:
    """Each has the last value of one of the threads, with its own time; what did not fit is counted."""
    names, most = 60, 40

    def rounds(seed: int) -> None:
        registry = recorder(max_gauges=most)
        refused: list[int] = []

        def work(at: int) -> None:
            for number in range(names):
                when = 1 + at + THREADS * number
                registry.gauge(f"depth.{(number + seed * at) % names}", when / 4, at_ns=when)

        def watch() -> None:
            points = registry.snapshot(0, 0).gauges
            assert len(points) <= most
            assert all(point.value * 4 == point.at_ns for point in points)
            refused.append(registry.overflowed_values.value)

        together(work, watch)
        watch()
        assert len(registry.snapshot(0, 0).gauges) == most
        assert refused == sorted(refused)
        # More than the last refusals where a thread took a place and gave it back, or had not filled it yet.
        assert THREADS * (names - most) <= refused[-1] < THREADS * names

    for seed in range(scaled(20, 2_000)):
        rounds(seed)


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


if getattr(sys, "_is_gil_enabled", lambda: True)():  # without a GIL there is nothing to hand on: all run at once

    @pytest.mark.parametrize("breathes", [True, False])
    def test_others_run_while_a_long_snapshot_is_taken(monkeypatch: pytest.MonkeyPatch, breathes: bool) -> None:
        """The interpreter is handed on about every millisecond; else nobody would run until the end."""
        if not breathes:
            monkeypatch.setattr("slo_otel.recorder._registry._BREATH", 10**9)
        ticks, running, stop = [0], threading.Event(), threading.Event()

        def tick() -> None:
            while not stop.wait(0.0001):
                ticks[0] += 1
                running.set()

        other = threading.Thread(target=tick)
        other.start()
        running.wait()

        def passed() -> int:
            registry = recorder()
            for at in range(2000):
                registry.cell(request(200, f"/{at}")).pending.extend([0.5] * 10)
            sys.setswitchinterval(30)  # nobody is made to hand on
            before = ticks[0]
            registry.snapshot(0, 0)
            found = ticks[0] - before
            sys.setswitchinterval(1e-6)
            return found

        # Whom the interpreter is handed to is for a busy machine to say, so there are more tries than one.
        handed_on = any(passed() > 2 for _ in range(TRIES if breathes else 1))
        stop.set()
        other.join()
        assert handed_on is breathes
