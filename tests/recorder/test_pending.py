"""What waits unfolded is bounded for every shape of cell and counter, and a reader's work is too."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from slo_otel.plan import CellKey
from slo_otel.recorder import Cell, CellSnapshot, Counter, Recorder
from slo_otel.recorder import _cell as cell_module
from slo_otel.recorder._fold import Value, folded
from slo_otel.recorder._gate import MOST_AT_ONCE
from tests.recorder.samples import counted, recorder, request


@pytest.mark.parametrize("key", [request(), request(event_stream=True), counted("paid")])
def test_a_cell_of_any_shape_folds_at_its_limit(key: CellKey) -> None:
    """After an event fewer values are pending than the limit, by `record` and by `add`."""
    cell = recorder().cell(key)
    pending = []
    for _ in range(3 * cell.limit):
        if cell.counted:
            cell.add()
        else:
            cell.record(0.3, 0.1)
        pending.append(len(cell.pending))
    assert pending == [*range(1, cell.limit), 0] * 3
    assert cell.snapshot().count == 3 * cell.limit


def test_a_counter_that_nobody_reads_holds_no_more_than_one_fold_takes() -> None:
    """Adding folds by itself, so a counter's memory does not grow with what it counts."""
    counter = Counter()
    held = []
    for _ in range(3 * MOST_AT_ONCE):
        counter.add()
        held.append(len(counter._pending))
    assert max(held) < MOST_AT_ONCE
    assert counter.value == 3 * MOST_AT_ONCE


@pytest.mark.parametrize(("waiting", "folds"), [(1, 1), (1024, 1), (1025, 2), (2048, 2), (3000, 3)])
def test_a_reader_folds_what_was_there_when_it_came(
    monkeypatch: pytest.MonkeyPatch, waiting: int, folds: int
) -> None:
    """Events that arrive as fast as they are folded cannot keep a snapshot from ending."""
    cell = recorder().cell(request())
    cell.pending.extend([0.5] * waiting)
    batches: list[int] = []

    def while_others_record(state: CellSnapshot, batch: list[Value]) -> CellSnapshot:
        batches.append(len(batch))
        if len(batches) < 20:
            cell.pending.extend([0.5] * MOST_AT_ONCE)
        return folded(state, batch)

    monkeypatch.setattr(cell_module, "folded", while_others_record)
    assert cell.snapshot().count == sum(batches) >= waiting
    assert len(batches) == folds


def backlog(cells: int, each: int) -> Recorder:
    """A registry whose cells have so many values pending."""
    registry = recorder()
    for at in range(cells):
        registry.cell(request(200, f"/{at}")).pending.extend([0.5] * each)
    return registry


@pytest.mark.parametrize(("cells", "each"), [(300, 63), (1000, 1), (30, 1000), (9, 5000)])
def test_a_snapshot_lets_others_run_before_much_is_folded(
    monkeypatch: pytest.MonkeyPatch, cells: int, each: int
) -> None:
    """Between two breaths it folds 8,192 values and one cell's at most; a cell counts for 32 values more."""
    registry = backlog(cells, each)
    breaths = [0]

    def breathe(seconds: float) -> None:
        assert seconds == 0
        breaths.append(sum(not cell.pending for cell in registry._cells.values()))

    monkeypatch.setattr("slo_otel.threads.sleep", breathe)
    registry.snapshot(0, 0)
    folded_between = [after - before for before, after in zip(breaths, [*breaths[1:], cells], strict=True)]
    assert max(folded_between) * (each + 32) <= 8192 + each + 32
    assert len(breaths) - 1 <= cells * (each + 32) / 4096
    breaths[:] = []
    registry.snapshot(0, 0)
    assert breaths == []


@pytest.fixture
def adapting() -> Iterator[Recorder]:
    """A registry of which another snapshot is adapting the limits; its cell has refilled and grown."""
    registry = recorder()
    cell = registry.cell(request())
    for _ in range(2):
        for _ in range(cell.limit):
            cell.record(0.5)
        registry.snapshot(0, 0)
    assert registry._budget.adapting.acquire(blocking=False)
    yield registry
    registry._budget.adapting.release()


@pytest.mark.parametrize("busy", [True, False])
def test_only_one_snapshot_adapts_the_limits_and_no_other_waits_for_it(adapting: Recorder, busy: bool) -> None:
    """A second snapshot returns with every event, and leaves growth to the first one."""
    cell: Cell = adapting.cell(request())
    limit, growth = cell.limit, adapting._budget.growth
    for _ in range(limit if busy else 1):
        cell.record(0.5)
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.append(adapting.snapshot(0, 0).cells[0].count), daemon=True)
    reader.start()
    reader.join(60)
    assert found == [64 + 256 + (limit if busy else 1)]
    assert (cell.limit, adapting._budget.growth) == (limit, growth)
