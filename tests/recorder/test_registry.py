"""The registry: cells, gauges, marks, and what a snapshot says of them."""

from __future__ import annotations

from slo_otel.recorder import GaugePoint, Limits, Mark, Recorder
from tests.recorder.samples import BORN, PLAN, Clock, counted, recorder, request


def test_a_key_has_one_cell_judged_once() -> None:
    """The same key finds the same cell, another key another one."""
    registry = recorder()
    assert registry.plan is PLAN
    cell = registry.cell(request())
    assert registry.cell(request()) is cell
    assert registry.cell(request(500)) is not cell
    assert [each.indicator for each in cell.judgements] == ["available", "fast", "fast"]


def test_a_registry_keeps_the_resource_it_was_given() -> None:
    """What the caller does to its own mapping afterwards changes nothing."""
    given = {"service.name": "shop"}
    registry = Recorder(PLAN, clock=Clock(), writer="w", resource=given)
    given.clear()
    assert registry.resource == {"service.name": "shop"}


def test_a_snapshot_is_of_its_writer_and_its_times() -> None:
    """What the caller says of the tick is in it as it was said."""
    snapshot = recorder().snapshot(7, 8, late=True)
    assert (snapshot.writer, snapshot.taken_wall_ns, snapshot.taken_mono_ns, snapshot.late) == ("w1", 7, 8, True)
    assert recorder().snapshot(7, 8).late is False
    assert snapshot.limits == Limits(0, 0, 0, 0, 0, 0, 0)
    assert (snapshot.cells, snapshot.gauges, snapshot.journal, snapshot.sketches) == ((), (), (), ())


def test_cells_keep_their_place_and_unchanged_ones_their_object() -> None:
    """A reader compares place by place and finds the changed ones by identity."""
    registry = recorder()
    keys = [request(), counted("paid"), request(500)]
    for key in keys:
        registry.cell(key).record(0.5)
    first = registry.snapshot(1, 1)
    registry.cell(keys[1]).add(2)
    registry.cell(request(404)).record(0.5)
    second = registry.snapshot(2, 2)
    assert [cell.key for cell in second.cells] == [*keys, request(404)]
    same = [new is old for new, old in zip(second.cells, first.cells, strict=False)]
    assert same == [True, False, True]
    assert [cell.count for cell in first.cells] == [1, 1, 1]
    assert [cell.count for cell in second.cells] == [1, 3, 1, 1]
    assert second.limits.series == 4


def test_a_gauge_is_its_last_value() -> None:
    """By name and attributes; the time is the caller's, or the clock's where none is given."""
    registry = recorder()
    registry.gauge("depth", 3, (("queue", "a"),), at_ns=5)
    registry.gauge("depth", 4, (("queue", "b"),), at_ns=6)
    registry.gauge("depth", 2, (("queue", "a"),))
    assert registry.snapshot(0, 0).gauges == (
        GaugePoint("depth", (("queue", "a"),), 2.0, BORN),
        GaugePoint("depth", (("queue", "b"),), 4.0, 6),
    )


def test_gauges_are_bounded_and_what_did_not_fit_is_counted() -> None:
    """Known series go on; a new one past the limit is refused."""
    registry = recorder(max_gauges=2)
    for name in ("a", "b", "c", "c", "a"):
        registry.gauge(name, 1.0, at_ns=1)
    snapshot = registry.snapshot(0, 0)
    assert [point.name for point in snapshot.gauges] == ["a", "b"]
    assert snapshot.limits.overflowed_values == 2


def test_marks_are_numbered_in_order_and_stay_until_they_are_confirmed() -> None:
    """A reader that fails to write sees them again; one that confirms does not."""
    registry = recorder()
    registry.mark("begin", "order", "1", at_ns=5, attributes=(("tenant", "x"),))
    registry.mark("finish", "order", "1", at_ns=9, started_ns=5)
    first = registry.snapshot(0, 0).journal
    assert first == (
        Mark(1, "begin", "order", "1", 5, None, (("tenant", "x"),)),
        Mark(2, "finish", "order", "1", 9, 5, ()),
    )
    assert registry.snapshot(0, 0).journal is first
    registry.mark("event", "deploy", None, at_ns=10)
    registry.trim(2)
    assert [mark.sequence for mark in registry.snapshot(0, 0).journal] == [3]
    registry.trim(2)
    registry.trim(9)
    assert registry.snapshot(0, 0).journal == ()
    registry.mark("event", "deploy", None, at_ns=11)
    assert [mark.sequence for mark in registry.snapshot(0, 0).journal] == [4]


def test_a_full_journal_keeps_what_is_not_confirmed_and_counts_the_rest() -> None:
    """The first marks stay, later ones are refused until there is room."""
    registry = recorder(max_marks=3)
    for number in range(5):
        registry.mark("begin", "order", str(number), at_ns=number)
    snapshot = registry.snapshot(0, 0)
    assert [mark.key for mark in snapshot.journal] == ["0", "1", "2"]
    assert snapshot.limits.dropped_marks == 2
    registry.mark("begin", "order", "5", at_ns=5)
    registry.trim(1)
    registry.mark("begin", "order", "6", at_ns=6)
    after = registry.snapshot(0, 0)
    assert [(mark.sequence, mark.key) for mark in after.journal] == [(2, "1"), (3, "2"), (4, "6")]
    assert after.limits.dropped_marks == 3


def test_each_counter_is_its_own() -> None:
    """What other stages count is in the limits under its name."""
    registry = recorder()
    registry.late_changes += 1
    registry.after_body_errors += 2
    registry.detached_events.add(3)
    registry.overflowed_values.add(4)
    assert registry.snapshot(0, 0).limits == Limits(
        series=0,
        overflowed_events=0,
        overflowed_values=4,
        dropped_marks=0,
        late_changes=1,
        after_body_errors=2,
        detached_events=3,
    )
