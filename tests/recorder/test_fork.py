"""A fork at any moment: the child starts at zero with the same cells, the parent keeps what it had."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable

import pytest

from slo_otel.recorder import CellSnapshot, Recorder
from slo_otel.recorder import _cell as cell_module
from slo_otel.recorder._fold import Value, folded
from tests.recorder.samples import Clock, counted, recorder, request
from tests.recorder.test_gate import inside


def in_child(check: Callable[[], None]) -> None:
    """Run `check` in a forked child; its failure is ours. A child that hangs is killed after a minute."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the handler of the parent's tests would wait with the child
        signal.alarm(60)
        try:
            check()
        except BaseException:  # noqa: BLE001 - the child must not run the rest of the tests
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def totals(registry: Recorder) -> list[int]:
    """The count of each cell."""
    return [cell.count for cell in registry.snapshot(0, 0).cells]


def test_a_child_starts_at_zero_with_the_cells_that_callers_hold() -> None:
    """Counts, pending values, gauges, marks and counters are the parent's; bound cells go on working."""
    registry = recorder()
    held, events = registry.cell(request()), registry.cell(counted("paid"))
    append = held.append
    for _ in range(100):
        held.record(0.5)
    events.add(7)
    registry.gauge("depth", 3, at_ns=1)
    registry.mark("begin", "order", "1", at_ns=1)
    registry.late_changes += 1

    def check() -> None:
        clock = registry._clock
        assert isinstance(clock, Clock)
        clock.wall_ns += 5
        registry.restart("w2")
        fresh = registry.snapshot(0, 0)
        assert (fresh.writer, fresh.gauges, fresh.journal) == ("w2", (), ())
        assert [cell.count for cell in fresh.cells] == [0, 0]
        assert [cell.start_ns for cell in fresh.cells] == [clock.wall_ns] * 2
        assert fresh.limits.late_changes == 0
        assert registry.cell(request()) is held
        append(0.25)
        events.add(2)
        registry.mark("begin", "order", "2", at_ns=2)
        after = registry.snapshot(0, 0)
        assert [cell.count for cell in after.cells] == [1, 2]
        assert after.cells[0].duration is not None
        assert after.cells[0].duration.sum == 0.25
        assert [mark.sequence for mark in after.journal] == [1]

    in_child(check)
    parent = registry.snapshot(0, 0)
    assert [cell.count for cell in parent.cells] == [100, 7]
    assert (parent.writer, len(parent.gauges), len(parent.journal)) == ("w1", 1, 1)


def test_a_child_is_not_held_up_by_a_lock_that_another_thread_held() -> None:
    """The thread that was folding does not exist in the child; its cell can be used at once."""
    registry = recorder()
    cell = registry.cell(request())
    cell.record(0.5)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with inside(cell):
            held.set()
            done.wait()

    other = threading.Thread(target=hold)
    other.start()
    held.wait()

    def check() -> None:
        registry.restart("w2")
        for _ in range(1000):
            cell.record(0.5)
        assert len(cell.pending) < cell.limit
        assert totals(registry) == [1000]

    in_child(check)
    done.set()
    other.join()
    assert totals(registry) == [1]


def test_a_fork_within_a_fold_counts_no_event_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child comes back into the parent's fold and must commit nothing of it."""
    registry = recorder()
    cell = registry.cell(request())
    parent = os.getpid()
    child: list[int] = []

    def forking(state: CellSnapshot, batch: list[Value]) -> CellSnapshot:
        if not child:
            child.append(os.fork())
            if child == [0]:
                signal.alarm(60)
                registry.restart("w2")
                cell.append(0.25)
        return folded(state, batch)

    monkeypatch.setattr(cell_module, "folded", forking)
    try:
        for _ in range(cell.limit):
            cell.record(0.5)
        expected = [1] if os.getpid() != parent else [cell.limit]
        assert totals(registry) == expected
    except BaseException:
        if os.getpid() != parent:
            os._exit(1)
        raise
    if os.getpid() != parent:
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child[0], 0)[1]) == 0


def test_forks_while_threads_record_leave_every_process_exact() -> None:
    """Four threads fold all the time; each child of ten counts its own events only, the parent loses none."""
    registry = recorder()
    cell = registry.cell(request())
    stop = threading.Event()
    counts = [0] * 4

    def work(at: int) -> None:
        while not stop.is_set():
            cell.record(0.5)
            counts[at] += 1

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()

    def check() -> None:
        registry.restart("w2")
        for _ in range(500):
            cell.record(0.5)
        assert totals(registry) == [500]

    try:
        for _ in range(10):
            in_child(check)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert totals(registry) == [sum(counts)]
