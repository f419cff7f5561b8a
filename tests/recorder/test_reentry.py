"""Recording from within a fold: signal handlers, `__del__`, a snapshot inside a snapshot."""

from __future__ import annotations

import gc
import random
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

import pytest

from slo_otel.recorder import Cell, CellSnapshot, Snapshot
from slo_otel.recorder import _cell as cell_module
from slo_otel.recorder._fold import Value, folded
from tests.recorder.samples import recorder, request
from tests.recorder.test_gate import inside

EVENTS = 16_000


@pytest.fixture
def alarms() -> Iterator[list[int]]:
    """What a test's handler of a real timer in the main thread fills; the test runner's own timer is given back."""
    assert threading.current_thread() is threading.main_thread()
    before, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    yield []
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    signal.setitimer(signal.ITIMER_REAL, *timer)


def alarm_in(delay: float) -> None:
    """Once: a timer that repeats would interrupt a slow handler by itself, without end."""
    signal.setitimer(signal.ITIMER_REAL, delay)


def test_events_of_a_signal_handler_are_counted_while_folds_and_snapshots_run(alarms: list[int]) -> None:
    """The handler interrupts folds of the cell it records into, takes snapshots, and finds new series."""
    registry = recorder()
    cell = registry.cell(request())

    def handler(_number: int, _frame: FrameType | None) -> None:
        alarms.append(1)
        for _ in range(70):
            cell.record(0.5)
        registry.cell(request(200, f"/{len(alarms) % 50}")).record(0.5)
        registry.snapshot(0, 0)
        alarm_in(0.0001)

    signal.signal(signal.SIGALRM, handler)
    alarm_in(0.0001)
    given = 0
    while len(alarms) < 300:
        cell.record(0.5)
        given += 1
        if given % 512 == 0:
            registry.snapshot(0, 0)
    alarm_in(0)
    found = registry.snapshot(0, 0)
    assert found.cells[0].count == given + 70 * len(alarms)
    assert found.cells[0].duration is not None
    assert found.cells[0].duration.sum == found.cells[0].count / 2
    assert sum(each.count for each in found.cells[1:]) == len(alarms)


class Interrupt(BaseException):
    """What a handler raises into whatever the main thread was doing, as a worker's time limit does."""


def test_a_handler_that_raises_into_folds_costs_no_event(
    alarms: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is counted once, whatever step the exception came up in, and another thread can read them all."""
    monkeypatch.setattr("slo_otel.recorder._gate._WAIT_S", 0.01)
    cell = recorder().cell(request())
    source = random.Random(1)

    def handler(_number: int, _frame: FrameType | None) -> None:
        alarms.append(1)
        raise Interrupt

    signal.signal(signal.SIGALRM, handler)
    given = 0
    for _ in range(1000):
        cell.pending.extend([0.5] * 1024)
        given += 1024
        try:
            alarm_in(source.uniform(1e-5, 2e-4))
            while True:
                cell.drain()
        except Interrupt:
            continue
    assert len(alarms) == 1000
    found: list[CellSnapshot] = []
    reader = threading.Thread(target=lambda: found.append(cell.snapshot()))
    reader.start()
    reader.join()
    assert found[0].count == given


def test_events_of_finalizers_are_counted_while_folds_run() -> None:
    """A collection in the middle of a fold runs `__del__`, which records into the same cell."""
    registry = recorder()
    cell = registry.cell(request())
    gone = []

    class Garbage:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            for _ in range(70):
                cell.record(0.5)
            registry.snapshot(0, 0)
            gone.append(1)

    before = gc.get_threshold()
    gc.set_threshold(5, 5, 5)
    try:
        for number in range(EVENTS):
            cell.record(0.5)
            if number % 64 == 0:
                Garbage()
    finally:
        gc.set_threshold(*before)
    # A thread of the test runner may be collecting just now; then `collect` returns at once.
    deadline = time.monotonic() + 10
    while len(gone) < EVENTS // 64 and time.monotonic() < deadline:
        gc.collect()
    assert len(gone) == EVENTS // 64
    assert registry.snapshot(0, 0).cells[0].count == EVENTS + 70 * len(gone)


def test_whatever_runs_inside_a_fold_neither_waits_nor_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the exact moment of folding: events, an inline fold, a snapshot of the registry in the same thread."""
    registry = recorder()
    cell = registry.cell(request())
    inside: list[Snapshot] = []

    def interrupted(state: CellSnapshot, batch: list[Value]) -> CellSnapshot:
        if not inside:
            inside.append(registry.snapshot(0, 0))
            for _ in range(200):
                cell.record(0.25)
        return folded(state, batch)

    monkeypatch.setattr(cell_module, "folded", interrupted)
    for _ in range(cell.limit):
        cell.record(0.5)
    assert inside[0].cells[0].count == 0
    state = registry.snapshot(0, 0).cells[0]
    assert state.count == cell.limit + 200
    assert state.duration is not None
    assert state.duration.sum == 0.5 * cell.limit + 0.25 * 200


def test_a_fold_whose_thread_is_frozen_holds_up_a_snapshot_for_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reader gets the totals of before, and everything the next time."""
    monkeypatch.setattr("slo_otel.recorder._gate._WAIT_S", 0.01)
    cell = recorder().cell(request())
    cell.record(0.5)
    found: list[CellSnapshot] = []
    with inside(cell):
        reader = threading.Thread(target=lambda: found.append(cell.snapshot()))
        reader.start()
        reader.join()
    assert found[0].count == 0
    assert cell.snapshot().count == 1


def test_a_finalizer_that_finds_the_same_series_meanwhile_gets_the_same_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two cells for one key would split its events; the one that came first is everybody's."""
    registry = recorder()
    inner: list[Cell] = []
    made = cell_module.Cell.__init__

    def interrupted(self: Cell, *args: object, **more: object) -> None:
        if not inner:
            inner.append(self)
            inner[0] = registry.cell(request())
        made(self, *args, **more)  # type: ignore[arg-type]  # handed through as they came

    monkeypatch.setattr(cell_module.Cell, "__init__", interrupted)
    outer = registry.cell(request())
    assert outer is inner[0]
    assert registry.snapshot(0, 0).limits.series == 1
