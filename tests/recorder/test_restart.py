"""A registry that starts anew, as in the child of a fork; the forks themselves are in test_fork.py."""

from __future__ import annotations

from dataclasses import replace

from slo_otel.recorder import Cell, Recorder
from tests.recorder.samples import PLAN, Clock, counted, left, request

KEYS = (request(), request(500), left(), request(200, "/stream", event_stream=True), counted("paid"))


def made(clock: Clock, writer: str) -> tuple[Recorder, list[Cell]]:
    """A registry that holds five marks and two gauges, and its cells of every shape."""
    registry = Recorder(PLAN, clock=clock, writer=writer, resource={}, max_marks=5, max_gauges=2)
    return registry, [registry.cell(key) for key in KEYS]


def used(registry: Recorder, cells: list[Cell], each: int) -> None:
    """Whatever can be recorded, more than fits where there is a limit."""
    for cell in cells:
        for _ in range(each):
            cell.record(0.3, 0.1)
    for at in range(7):
        registry.mark("event", "deploy", str(at), at_ns=at)
        registry.gauge(f"depth-{at}", 1.0, at_ns=at)
    registry.late_changes += 1
    registry.after_body_errors += 1
    registry.detached_events += 1


def test_a_restarted_registry_is_a_new_one_of_a_new_writer_whose_cells_are_held() -> None:
    """Totals, pending values, marks with their numbers, gauges and counters are gone; all of them count again."""
    clock = Clock()
    registry, cells = made(clock, "parent")
    used(registry, cells, 100)
    registry.snapshot(0, 0)
    used(registry, cells, 50)
    clock.wall_ns += 7
    fresh, others = made(clock, "child")
    registry.restart("child")
    assert registry.snapshot(1, 1) == fresh.snapshot(1, 1)
    assert [cell.limit for cell in cells] == [cell.limit for cell in others]
    used(registry, cells, 20)
    used(fresh, others, 20)
    assert registry.snapshot(2, 2) == fresh.snapshot(2, 2)
    assert [registry.cell(key) for key in KEYS] == cells
    registry.trim(3)
    registry.mark("event", "deploy", None, at_ns=9)
    assert [mark.sequence for mark in registry.snapshot(3, 3).journal] == [4, 5, 6]


def test_a_restarted_registry_waits_for_nobody_who_was_inside() -> None:
    """Locks that a thread of the parent held are held by nobody in the child: folds, growth and marks go on."""
    registry, cells = made(Clock(), "parent")
    used(registry, cells, 100)
    held = [registry._journal, registry._journal.dropped, registry.late_changes, *cells]
    for gate in held:
        gate._lock.acquire()
        gate._inside = True
    assert registry._budget.adapting.acquire(blocking=False)
    registry.restart("child")
    for cell in cells:
        for _ in range(cell.limit):
            cell.record(0.3, 0.1)
    assert [len(cell.pending) for cell in cells] == [0] * len(cells)
    limits = [cell.limit for cell in cells]
    used(registry, cells, 1)
    found = registry.snapshot(0, 0)
    assert [len(found.journal), found.limits.late_changes] == [5, 1]
    assert [cell.limit for cell in cells] == [4 * limit for limit in limits]


def test_what_a_snapshot_says_of_a_restarted_cell_is_its_series_and_its_new_start() -> None:
    """Only the start and the totals are other ones than those of the parent's cell."""
    clock = Clock()
    registry, (cell, *_) = made(clock, "parent")
    before = cell.snapshot()
    cell.record(0.3)
    clock.wall_ns += 7
    registry.restart("child")
    assert cell.snapshot() == before._replace(start_ns=before.start_ns + 7)
    assert registry.snapshot(0, 0) == replace(registry.snapshot(0, 0), writer="child")
