"""Cells of each shape: what goes in comes out, in whichever way it was put in."""

from __future__ import annotations

import pytest

from slo_otel import errors
from slo_otel.plan import CellKey, Fixed, Kind, Outcome, Split, Verdict
from slo_otel.recorder import HTTP_BOUNDS, Cell, Histogram, Tally, tally
from tests.recorder.samples import BORN, counted, left, recorder, request


def inlined(cell: Cell, value: float) -> None:
    """The hot path as callers write it."""
    cell.append(value)
    if len(cell.pending) >= cell.limit:
        cell.drain()


def test_the_inlined_path_and_the_call_count_alike() -> None:
    """`append`, length check and `drain` are what `record` does."""
    registry = recorder()
    one, two = registry.cell(request(200, "/a")), registry.cell(request(200, "/b"))
    for at in range(1000):
        inlined(one, at / 1024)
        two.record(at / 1024)
    assert one.snapshot().duration == two.snapshot().duration
    assert one.snapshot().count == 1000


def test_a_cell_folds_when_its_limit_is_reached_and_never_holds_more() -> None:
    """Pending values stay below the limit whatever is recorded."""
    cell = recorder().cell(request())
    most = 0
    for _ in range(1000):
        cell.record(0.25)
        most = max(most, len(cell.pending))
    assert most == cell.limit - 1


def test_an_unchanged_cell_is_the_same_snapshot_object() -> None:
    """Readers find what changed by identity."""
    cell = recorder().cell(request())
    cell.record(0.5)
    first = cell.snapshot()
    assert cell.snapshot() is first
    cell.record(0.5)
    assert cell.snapshot() is not first
    assert (first.count, cell.snapshot().count) == (1, 2)


def test_a_timed_cell_has_the_thresholds_and_the_bounds_of_the_conventions() -> None:
    """A latency SLO's thresholds are bounds beside those of HTTP, in seconds, once each."""
    state = recorder().cell(request()).snapshot()
    assert state.duration is not None
    assert state.duration.bounds == tuple(sorted({*HTTP_BOUNDS, 0.2, 0.4}))
    assert (state.duration.cuts, state.duration.sums, state.first_byte) == ((), (), None)
    assert state.start_ns == BORN


def test_a_new_cell_has_counted_nothing() -> None:
    """Both histograms begin empty, with a sum of zero on each side of every cut."""
    bounds = tuple(sorted({*HTTP_BOUNDS, 0.2, 0.4}))
    streamed, cut = recorder().cell(request(event_stream=True)).snapshot(), recorder().cell(left()).snapshot()
    empty = Histogram(bounds, (0,) * 17, 0.0, 3, (), 0)
    assert (streamed.count, streamed.duration, streamed.first_byte) == (0, empty, empty)
    bounds = tuple(sorted({*bounds, 2.0}))
    assert cut.duration == Histogram(bounds, (0,) * 18, 0.0, 3, (), 0, (0.0, 0.0, 0.0), (0.4, 2.0))


def test_a_cancelled_cell_is_cut_where_each_slo_loses_patience() -> None:
    """Sums are kept on both sides of every duration that divides excluded from counted."""
    cell = recorder().cell(left())
    for duration in (0.25, 0.5, 1.5, 2.0, 4.0):
        cell.record(duration)
    found = cell.snapshot().duration
    assert found is not None
    assert found.cuts == (0.4, 2.0)
    assert found.sums == (0.25, 4.0, 4.0)
    rulings = {each.indicator: tally(cell.snapshot(), each.ruling) for each in cell.judgements}
    assert rulings == {"available": Tally(bad=1, excluded=4), "fast": Tally(bad=4, excluded=1)}


def test_cells_of_one_layout_share_their_bounds_and_judgements() -> None:
    """A thousand routes do not hold a thousand copies of the same tuples."""
    registry = recorder()
    one, two = registry.cell(request(200, "/a")).snapshot(), registry.cell(request(201, "/a")).snapshot()
    assert one.duration is not None
    assert two.duration is not None
    assert one.duration.bounds is two.duration.bounds
    assert all(ours is theirs for ours, theirs in zip(one.judgements, two.judgements, strict=True))


def test_an_event_stream_keeps_the_first_byte_beside_the_duration() -> None:
    """Pairs go in at once; a first byte that never came counts as an event without one."""
    cell = recorder().cell(request(event_stream=True))
    assert cell.streamed
    cell.append((8.0, 0.25))
    cell.record(4.0, 0.5)
    cell.record(2.0)
    state = cell.snapshot()
    assert state.duration is not None
    assert state.first_byte is not None
    assert (state.count, state.duration.sum, state.first_byte.sum) == (3, 14.0, 0.75)
    assert (sum(state.duration.counts), sum(state.first_byte.counts)) == (3, 2)
    fast = [each.ruling for each in state.judgements if each.indicator == "fast"]
    assert fast == [Split(at, Verdict.GOOD, Verdict.BAD, first_byte=True) for at in (200_000_000, 400_000_000)]
    assert [tally(state, ruling) for ruling in fast] == [Tally(bad=3), Tally(good=1, bad=2)]


def test_counted_events_have_no_duration() -> None:
    """`add(n)`, an appended number and a record each add to the count; below one adds nothing."""
    cell = recorder().cell(counted("paid"))
    assert cell.counted
    cell.add(3)
    cell.add()
    cell.append(2)
    cell.record(0.5)
    cell.add(0)
    cell.add(-5)
    state = cell.snapshot()
    assert (state.count, state.duration, state.first_byte) == (7, None, None)
    assert [tally(state, each.ruling) for each in state.judgements] == [Tally(good=7)]


def test_counting_on_a_timed_cell_is_an_error() -> None:
    """An event with a duration cannot be added without one."""
    with pytest.raises(TypeError, match="record"):
        recorder().cell(request()).add(2)


def test_an_event_that_no_slo_counts_is_kept_without_bounds() -> None:
    """Its count and its exponential histogram remain, for the page."""
    cell = recorder().cell(CellKey(Kind.OPERATION, names=("summarise",), operation="summarise"))
    cell.record(0.5)
    state = cell.snapshot()
    assert state.judgements == ()
    assert state.duration is not None
    assert (state.duration.bounds, state.duration.counts) == ((), (1,))
    assert state.duration.exponential == ((-9, 1),)


@pytest.mark.parametrize("key", [request(), request(event_stream=True), counted("paid")])
def test_an_event_changes_nothing_but_the_totals(key: CellKey) -> None:
    """Series, verdicts and start, from which a reader knows a restarted cell, stay those of before."""
    cell = recorder().cell(key)
    before = cell.snapshot()
    cell.record(0.3, 0.1)
    after = cell.snapshot()
    assert after[:3] == before[:3]
    assert (before.start_ns, after.count) == (BORN, 1)


def test_a_snapshot_takes_more_than_one_batch() -> None:
    """A backlog beyond what one inline fold takes is folded whole by a reader."""
    cell = recorder().cell(request())
    cell.pending.extend([0.5] * 5000)
    assert cell.snapshot().count == 5000
    assert cell.pending == []


def test_an_inline_fold_is_bounded_whatever_is_pending() -> None:
    """A request pays for 1,024 values at most, also behind a backlog."""
    cell = recorder().cell(request())
    cell.pending.extend([0.5] * 5000)
    cell.drain()
    assert len(cell.pending) == 5000 - 1024


def test_a_fault_in_folding_reaches_no_request_and_holds_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is given up, the fault is counted, the next events are recorded."""
    monkeypatch.delenv("SLO_OTEL_STRICT")
    cell = recorder().cell(request(event_stream=True))
    cell.append(0.5)  # not the pair that a streamed cell takes
    assert cell.snapshot().count == 0
    assert errors.faults() == {"recorder.fold": 1}
    cell.record(1.0, 0.5)
    assert cell.snapshot().count == 1


def test_a_fault_in_folding_is_raised_as_it_is_when_strict() -> None:
    """Whoever develops sees what went wrong, and the gate is open again."""
    cell = recorder().cell(request(event_stream=True))
    cell.append(0.5)
    for _ in range(2):
        with pytest.raises(TypeError, match="subscriptable"):
            cell.snapshot()


def test_a_cell_judged_whole_has_its_latency_thresholds_as_bounds_too() -> None:
    """A server's time-out is bad whatever it took; its histogram still adds up with the others bucket by bucket."""
    key = CellKey(Kind.HTTP, method="GET", route="/pay", outcome=Outcome.TIMEOUT)
    state = recorder().cell(key).snapshot()
    assert {each.ruling for each in state.judgements} == {Fixed(Verdict.BAD)}
    assert state.duration is not None
    assert set(state.duration.bounds) == {*HTTP_BOUNDS, 0.2, 0.4}


def test_an_event_is_taken_back_while_it_is_pending_and_no_longer() -> None:
    """One of its duration, once; what is in the totals or was never there stays as it is."""
    cell = recorder().cell(request())
    for value in (0.25, 0.5, 0.5):
        cell.record(value)
    assert [cell.retract(value) for value in (0.5, 0.125)] == [True, False]
    state = cell.snapshot()
    assert (state.count, state.duration and state.duration.sum) == (2, 0.75)
    assert not cell.retract(0.5)
    assert cell.snapshot() is state


def test_an_event_stays_while_somebody_folds() -> None:
    """Who takes back does not wait: the values that are being folded may be any of those pending."""
    cell = recorder().cell(request())
    cell.record(0.5)
    lock = cell.enter()
    assert lock is not None
    cell._inside = True
    refused = cell.retract(0.5)
    cell._inside = False
    lock.release()
    assert (refused, cell.retract(0.5)) == (False, True)
