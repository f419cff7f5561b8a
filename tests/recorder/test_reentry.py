"""Recording from within a fold: signal handlers, `__del__`, a snapshot inside a snapshot."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

import pytest

from slo_otel.plan import CellKey, Judgement, Plan, judge
from slo_otel.recorder import Cell, CellSnapshot, GaugePoint, Snapshot
from slo_otel.recorder import _cell as cell_module
from slo_otel.recorder import _registry as registry_module
from slo_otel.recorder._fold import Value, folded
from tests.recorder.samples import recorder, request
from tests.recorder.storm import alarm_in, alarms
from tests.recorder.test_gate import inside


class Interrupt(BaseException):
    """What a handler raises into whatever the main thread was doing, as a worker's time limit does."""


def test_a_handler_that_raises_into_folds_costs_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is counted once, whatever step the exception came up in, and another thread can read them all."""
    monkeypatch.setattr("slo_otel.recorder._gate._WAIT_S", 0.01)
    cell = recorder().cell(request())
    source = random.Random(1)
    raised: list[int] = []

    def handler(_number: int, _frame: FrameType | None) -> None:
        raised.append(1)
        raise Interrupt

    given = 0
    with alarms(handler):
        for _ in range(1000):
            cell.pending.extend([0.5] * 1024)
            given += 1024
            try:
                alarm_in(source.uniform(1e-5, 2e-4))
                while True:
                    cell.drain()
            except Interrupt:
                continue
    assert len(raised) == 1000
    found: list[CellSnapshot] = []
    reader = threading.Thread(target=lambda: found.append(cell.snapshot()))
    reader.start()
    reader.join()
    assert found[0].count == given


def test_a_holder_that_was_given_up_on_lets_nobody_into_the_fold_of_its_successor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It leaves late and says that nobody is inside; a handler of the successor's thread folds; none is lost."""
    cell = recorder().cell(request())
    for _ in range(3):
        cell.record(0.5)
    handled: list[int] = []

    def interrupted(state: CellSnapshot, batch: list[Value]) -> CellSnapshot:
        if not handled:
            handled.append(0)
            cell._inside = False
            cell.record(0.25)
            handled[0] = cell.snapshot().count
        return folded(state, batch)

    monkeypatch.setattr(cell_module, "folded", interrupted)
    assert (cell.snapshot().count, handled) == (4, [4])
    assert cell.snapshot().count == 4


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
    """Two cells for one key would split its events; the one that came first is everybody's, and takes one place."""
    registry = recorder(max_series=2)
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
    assert not registry.cell(request(500)).key.overflow


def test_a_series_that_somebody_makes_meanwhile_in_the_last_place_does_not_overflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever finds no place left looks again whether its series is there by now."""
    registry = recorder(max_series=1)
    inner: list[Cell] = []

    def interrupted(plan: Plan, key: CellKey) -> tuple[Judgement, ...]:
        monkeypatch.setattr(registry_module, "judge", judge)
        inner.append(registry.cell(key))
        return judge(plan, key)

    monkeypatch.setattr(registry_module, "judge", interrupted)
    assert registry.cell(request()) is inner[0]
    assert not inner[0].key.overflow


class Nosy(str):
    """A name that does something when it is looked up for the nth time, in the middle of whoever looks."""

    __slots__ = ("left", "then")

    left: int
    then: Callable[[], None]

    def __new__(cls, text: str, nth: int, then: Callable[[], None]) -> Self:
        """`then` is done once."""
        made = super().__new__(cls, text)
        made.left, made.then = nth, then
        return made

    def __hash__(self) -> int:
        self.left -= 1
        if self.left == 0:
            self.then()
        return super().__hash__()


@pytest.mark.parametrize("nth", range(1, 4))
def test_there_is_no_moment_at_which_another_gauge_slips_past_the_limit(nth: int) -> None:
    """A finalizer that sets a gauge while one is being set finds the last place taken, or takes it."""
    registry = recorder(max_gauges=2)
    registry.gauge("first", 1.0, at_ns=1)
    inner: list[int] = []

    def meanwhile() -> None:
        inner.append(nth)
        registry.gauge("inner", 3.0, at_ns=3)

    registry.gauge(Nosy("outer", nth, meanwhile), 2.0, at_ns=2)
    found = registry.snapshot(0, 0)
    assert len(found.gauges) == 2
    assert found.limits.overflowed_values == len(inner)


@pytest.mark.parametrize("nth", range(1, 4))
def test_a_finalizer_that_sets_the_same_gauge_meanwhile_takes_no_place_of_another(nth: int) -> None:
    """Both wrote one gauge, so there is room for a second one."""
    registry = recorder(max_gauges=2)
    registry.gauge(Nosy("depth", nth, lambda: registry.gauge("depth", 3.0, at_ns=3)), 2.0, at_ns=2)
    registry.gauge("other", 1.0, at_ns=1)
    assert {point.name for point in registry.snapshot(0, 0).gauges} == {"depth", "other"}


@pytest.mark.parametrize("nth", range(1, 4))
def test_a_finalizer_that_reads_while_a_gauge_is_being_set_sees_whole_gauges(nth: int) -> None:
    """Between taking a place and keeping the value there is a point already, or the place is not taken yet."""
    registry = recorder()
    seen: list[GaugePoint] = []
    registry.gauge(Nosy("depth", nth, lambda: seen.extend(registry.snapshot(0, 0).gauges)), 2.0, at_ns=2)
    assert seen in ([], [GaugePoint("depth", (), 2.0, 2)])
    assert registry.snapshot(0, 0).gauges == (GaugePoint("depth", (), 2.0, 2),)
