"""What happens at a tick, on a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slo_otel import errors, instrumentation, names
from slo_otel.evaluation import Answers, Query, StatusSet
from slo_otel.ledger import Lease, MemoryLedger
from slo_otel.recorder import Snapshot
from slo_otel.runtime import Handle, _driver
from slo_otel.runtime._configure import start
from slo_otel.testing import InMemoryExporter, ManualClock, advance
from slo_otel.units import SECOND_NS
from tests.runtime.samples import BAD, PLAN, record


class _World:
    """A handle, its clock, its sink, and a ledger that remembers what it was given."""

    def __init__(self, ledger: _Ledger | None = None) -> None:
        self.clock = ManualClock()
        self.sink = InMemoryExporter()
        self.ledger = ledger or _Ledger(PLAN)
        self.handle: Handle = start(PLAN, clock=self.clock, exporter=self.sink, ledger=self.ledger)

    def advance(self, seconds: float) -> None:
        advance(self.handle, self.clock, seconds)

    def events(self, verdict: str) -> int | float | None:
        return self.sink.value(names.EVENTS, slo_name="pay-success", slo_verdict=verdict)


class _Ledger(MemoryLedger):
    """The memory ledger, which can be told to fail and not to lead."""

    fails = False
    leads = True

    def __init__(self, plan: object) -> None:
        super().__init__(PLAN)
        self.appended: list[Snapshot] = []
        self.done: list[str] = []

    def append(self, snapshot: Snapshot) -> None:
        if self.fails:
            raise OSError("no disk")
        self.appended.append(snapshot)
        self.done.append("append")
        super().append(snapshot)

    def answer(self, queries: tuple[Query, ...]) -> Answers:
        if self.fails:
            raise OSError("no disk")
        self.done.append("answer")
        return super().answer(queries)

    def lead(self) -> Lease | None:
        return super().lead() if self.leads else None


@pytest.fixture
def world() -> Iterator[_World]:
    """A runtime driven by hand."""
    made = _World()
    yield made
    made.handle.shutdown()


def test_events_belong_to_the_slice_of_the_next_tick(world: _World) -> None:
    """What is recorded after a tick is found at the next one, with its time."""
    assert [snapshot.taken_wall_ns for snapshot in world.ledger.appended] == [world.clock.read().wall_ns]
    record(3)
    world.advance(2.5)
    ticks = [snapshot.taken_wall_ns // SECOND_NS % 60 for snapshot in world.ledger.appended]
    counts = [sum(cell.count for cell in snapshot.cells) for snapshot in world.ledger.appended]
    assert (ticks, counts) == ([0, 1, 2], [0, 3, 3])


def test_a_tick_lets_others_run_between_its_parts(world: _World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshot, ledger and evaluation hold the interpreter one at a time, none of them after the other."""
    done = world.ledger.done
    done.clear()
    monkeypatch.setattr(_driver, "pause", lambda: done.append("pause"))
    world.advance(1)
    assert done == ["pause", "append", "pause", "answer"]


def test_status_is_evaluated_at_every_tick_with_its_time(world: _World) -> None:
    """One `now` for snapshot, evaluation and publication."""
    record(3)
    record(1, BAD)
    world.advance(1)
    status = world.handle.status()
    assert status.at_ns == world.clock.read().wall_ns
    found = status.find("pay-success")
    assert found is not None
    assert (found.tally.good, found.tally.bad, found.sli) == (3, 1, 0.75)
    active = instrumentation.active()
    assert active is not None
    assert active.statuses() is status


def test_status_before_the_first_event_knows_nothing(world: _World) -> None:
    """Right after configure there is a status, and it says no data."""
    found = world.handle.status().find("pay-success")
    assert found is not None
    assert (found.state.value, found.sli) == ("no_data", None)


def test_exports_are_due_after_the_interval_and_carry_the_tick(world: _World) -> None:
    """60 s unless set, sent at most a tenth earlier; the time of the points is the tick's."""
    record(2)
    world.advance(53)
    assert world.sink.exports == []
    world.advance(8)
    assert world.events("good") == 2
    (point, *_) = world.sink.exports[0].resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert point.time_unix_nano % SECOND_NS == 0
    world.advance(60)
    assert len(world.sink.exports) == 2


def test_a_flush_sends_this_moment_and_leaves_the_slices_alone(world: _World) -> None:
    """Off the ticks the export gets the events at once, the ledger gets them at their tick."""
    world.advance(1)
    world.clock.advance(0.25)
    record(2)
    assert world.handle.flush()
    assert world.events("good") == 2
    assert sum(cell.count for cell in world.ledger.appended[-1].cells) == 0
    world.advance(1)
    assert sum(cell.count for cell in world.ledger.appended[-1].cells) == 2


def test_shutdown_sends_what_came_last(world: _World) -> None:
    """Nothing recorded before the shutdown is lost."""
    record(4)
    assert world.handle.shutdown()
    assert world.events("good") == 4


def test_a_failed_flush_says_so_and_loses_nothing(world: _World) -> None:
    """False now, everything with the next one."""
    world.sink.fails = True
    record(2)
    assert not world.handle.flush()
    world.sink.fails = False
    record(1)
    assert world.handle.flush()
    assert world.events("good") == 3


def test_a_broken_ledger_costs_its_numbers_and_not_the_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks go on, counters are sent, evaluated gauges are not, and each fault is counted."""
    monkeypatch.delenv("SLO_OTEL_STRICT")
    world = _World()
    try:
        world.ledger.fails = True
        record(2)
        world.advance(61)
        assert world.events("good") == 2
        assert world.sink.values(names.SLI_RATIO) == {}
        assert world.handle.flush()
        assert world.sink.value(names.SDK_FAULTS) == 2 * 61
        assert errors.faults() == {"the ledger": 61, "the evaluation": 61}
        world.ledger.fails = False
        world.advance(1)
        found = world.handle.status().find("pay-success")
        assert found is not None
        assert found.tally.good == 2
    finally:
        world.handle.shutdown()


def test_who_does_not_lead_sends_counters_only() -> None:
    """Evaluated gauges come from one place; counters and histograms from every worker."""
    ledger = _Ledger(PLAN)
    ledger.leads = False
    world = _World(ledger)
    record(2)
    world.advance(1)
    assert world.handle.flush()
    assert world.events("good") == 2
    assert world.sink.values(names.SLI_RATIO) == {}
    assert world.sink.value(names.OBJECTIVE_RATIO, slo_name="pay-success") == 0.99
    world.handle.shutdown()


def test_a_pause_makes_one_late_tick(world: _World) -> None:
    """A process that was stopped for a minute finds its events in one slice, marked late."""
    record(1)
    world.clock.advance(60)
    world.handle._tick()
    assert [snapshot.late for snapshot in world.ledger.appended] == [False, True]


def test_a_clock_that_steps_back_a_little_makes_slices_wait(world: _World) -> None:
    """No tick twice; the events of the meantime are in the next one."""
    world.advance(5)
    before = len(world.ledger.appended)
    world.clock.step_wall(-2)
    record(1)
    world.advance(2)
    assert len(world.ledger.appended) == before
    world.advance(1)
    assert sum(cell.count for cell in world.ledger.appended[-1].cells) == 1


def test_a_flush_after_a_step_back_is_not_older_than_what_was_sent(world: _World) -> None:
    """A backend refuses points that go back in time."""
    world.advance(5)
    assert world.handle.flush()
    world.clock.step_wall(-2)
    assert world.handle.flush()
    times = [_newest(world, at) for at in (0, 1)]
    assert times[0] <= times[1]


def _newest(world: _World, at: int) -> int:
    metrics = world.sink.exports[at].resource_metrics[0].scope_metrics[0].metrics
    return max(point.time_unix_nano for metric in metrics for point in metric.data.data_points)


def test_marks_are_trimmed_once_the_ledger_has_them(world: _World) -> None:
    """The journal is bounded: what was appended is forgotten, what came after is kept."""
    active = instrumentation.active()
    assert active is not None
    active.recorder.mark("begin", "deploy", "k", at_ns=1)
    world.advance(1)
    assert [mark.name for mark in world.ledger.appended[-1].journal] == ["deploy"]
    active.recorder.mark("finish", "deploy", "k", at_ns=2)
    world.advance(1)
    assert [mark.kind for mark in world.ledger.appended[-1].journal] == ["finish"]


def test_published_statuses_are_what_is_exported(world: _World) -> None:
    """The page and the backend show the same number."""
    record(3)
    record(1, BAD)
    world.advance(1)
    assert world.handle.flush()
    status: StatusSet = world.handle.status()
    found = status.find("pay-success")
    assert found is not None
    told = world.sink.value(names.SLI_RATIO, slo_name="pay-success", slo_window="1h", slo_scope="process")
    assert told == found.sli == 0.75
