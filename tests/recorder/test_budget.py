"""The bound on pending values of the whole registry."""

from __future__ import annotations

import pytest

from slo_otel.errors import ConfigurationError
from slo_otel.recorder import Cell
from slo_otel.recorder._budget import START, Budget
from tests.recorder.samples import recorder, request


def feed(cells: list[Cell], each: int) -> int:
    """Record into every cell by turns; the most that was pending at once, looked at after every turn."""
    most = 0
    for _ in range(each):
        for cell in cells:
            cell.record(0.5)
        most = max(most, sum(len(cell.pending) for cell in cells))
    return most


def test_a_cell_grows_while_it_refills_and_shrinks_when_the_traffic_is_gone() -> None:
    """64, after four folds 256, after four more 1,024, where it stays; each idle snapshot takes a step back."""
    registry = recorder()
    cell = registry.cell(request())
    limits = []
    for events in (4 * 64 - 1, 1, 4 * 256 - 1, 1, 8 * 1024):
        for _ in range(events):
            cell.record(0.5)
        limits.append(cell.limit)
    assert limits == [64, 256, 256, 1024, 1024]
    assert registry.snapshot(0, 0).cells[0].count == 256 + 1024 + 8 * 1024
    for _ in range(3):
        cell.record(0.5)
        registry.snapshot(0, 0)
        limits.append(cell.limit)
    assert limits[5:] == [256, 64, 64]


def test_a_cell_that_refills_seldom_grows_with_the_next_snapshot() -> None:
    """One fold between two snapshots is a step, as long as there are any."""
    registry = recorder()
    cell = registry.cell(request())
    limits = []
    for _ in range(4):
        for _ in range(cell.limit):
            cell.record(0.5)
        registry.snapshot(0, 0)
        limits.append(cell.limit)
    assert limits == [256, 1024, 1024, 1024]


def test_a_cell_does_not_grow_while_a_snapshot_is_at_it() -> None:
    """It does not wait either; later folds ask again."""
    registry = recorder()
    cell = registry.cell(request())
    with registry._budget.adapting:
        for _ in range(4 * 64):
            cell.record(0.5)
        assert cell.limit == 64
    for _ in range(4 * 64):
        cell.record(0.5)
    assert (cell.limit, cell.snapshot().count) == (256, 512)


def test_thousands_of_busy_cells_hold_no_more_than_the_budget() -> None:
    """With every cell refilling, before and after snapshots have let them grow, and all of it is counted."""
    budget = 2**14
    registry = recorder(max_series=2_500, max_pending=budget)
    cells = [registry.cell(request(200, f"/{at}")) for at in range(2_500)]
    most = 0
    for _ in range(3):
        most = max(most, feed(cells, 7))
        registry.snapshot(0, 0)
    assert sum(cell.limit for cell in cells) <= budget
    assert most <= budget
    assert sum(cell.count for cell in registry.snapshot(0, 0).cells) == 2_500 * 21


@pytest.mark.parametrize("idle_first", [False, True])
def test_limits_never_add_up_to_more_than_the_budget(idle_first: bool) -> None:
    """Some cells grow, give back, and others grow on what was given back."""
    budget = 4096
    registry = recorder(max_series=20, max_pending=budget)
    cells = [registry.cell(request(200, f"/{at}")) for at in range(20)]
    busy, idle = (cells[:10], cells[10:]) if idle_first else (cells[10:], cells[:10])
    for _ in range(6):
        assert feed(busy, 1100) <= budget
        registry.snapshot(0, 0)
        assert sum(cell.limit for cell in cells) <= budget
    grown = sum(cell.limit for cell in busy)
    assert grown > 10 * START
    for _ in range(6):
        feed(idle, 1100)
        registry.snapshot(0, 0)
    assert sum(cell.limit for cell in cells) <= budget
    assert sum(cell.limit for cell in idle) > sum(cell.limit for cell in busy)
    assert registry._budget.growth >= 0


def test_a_limit_that_shrinks_leaves_no_more_pending_than_it_allows() -> None:
    """What came between the snapshot and the new limit is folded at once."""
    registry = recorder()
    cell = registry.cell(request())
    cell.limit, cell.floor = 256, 64
    cell.pending.extend([0.5] * 200)
    registry._budget.adapt(cell)
    assert (cell.limit, len(cell.pending)) == (64, 0)
    assert cell.snapshot().count == 200


@pytest.mark.parametrize(("series", "pending"), [(1, 2**19), (100, 2**13), (10_000, 2**16), (10_000, 2**19)])
def test_permits_and_growth_add_up_to_the_budget(series: int, pending: int) -> None:
    """Nothing is handed out twice, every series has a permit, half is kept for growth, or more if all are large."""
    budget = Budget(series, 16, pending)
    permits = []
    while (permit := budget.series.take()) is not None:
        permits.append(permit)
    assert len(permits) == series
    assert sum(permits) + 16 * START + budget.growth == pending
    assert permits == sorted(permits, reverse=True)
    assert 0 <= budget.growth - pending // 2 < START or set(permits) == {START}
    assert [budget.overflow.take() for _ in range(17)] == [START] * 16 + [None]


@pytest.mark.parametrize(("series", "pending"), [(10_000, 10_000), (0, 2**19), (100, 0)])
def test_a_budget_too_small_for_its_series_is_refused_with_the_size_that_fits(series: int, pending: int) -> None:
    """A cell that could hold nothing would fold every event by itself."""
    with pytest.raises(ConfigurationError, match="max_pending=") as refused:
        recorder(max_series=series, max_pending=pending)
    assert "write at least" in str(refused.value)


@pytest.mark.parametrize("series", [0, 1, 100, 10_000])
def test_the_size_that_a_refusal_names_is_the_smallest_that_fits(series: int) -> None:
    """Whoever writes what the message says is not refused again, and need not write more."""
    with pytest.raises(ConfigurationError) as refused:
        Budget(series, 16, 0)
    need = int(str(refused.value).rpartition("=")[2])
    assert Budget(max(1, series), 16, need).series.take() == 1
    with pytest.raises(ConfigurationError):
        Budget(max(1, series), 16, need - 1)
