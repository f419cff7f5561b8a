"""The ledger and the evaluation on random streams equal a list of events that is summed by hand."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slo_otel.evaluation import Alive, Counts, Group, Slices, State
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import Verdict
from slo_otel.units import DAY_NS, HOUR_NS, MINUTE_NS, Rolling
from tests.evaluation.samples import STEP, T0, Writer, at, key_of, plan_of, ratio_slo
from tests.ledger.model import Model

QUARTER_HOUR = 15 * MINUTE_NS
GROUPS: tuple[Group, ...] = tuple(
    (("region", region), ("tenant", tenant)) for region in ("eu", "us") for tenant in ("1", "2")
)
WINDOWS = (5 * MINUTE_NS, HOUR_NS, 6 * HOUR_NS, DAY_NS, 3 * DAY_NS, 30 * DAY_NS)
TARGET = Fraction(95, 100)
SLOS = tuple(
    ratio_slo("95%", Rolling(length), name=f"w{length}", per=("region",), keep=("tenant",)) for length in WINDOWS
)
PLAN = plan_of(*SLOS)
MEASURE = SLOS[0].measure


@dataclass(frozen=True)
class Turn:
    """The wall clock moves, events happen, one of the writers is asked for a snapshot."""

    move_ns: int
    off_tick: bool
    writer: int
    events: tuple[tuple[Verdict, Group, int], ...]


EVENTS = st.lists(st.tuples(st.sampled_from(Verdict), st.sampled_from(GROUPS), st.integers(0, 40)), max_size=4).map(
    tuple
)
STEPS = st.sampled_from([1, 1, 1, 2, 3, 20, 61, 240, 1000, 5760, 11_520, 40_000, 200_000])
BACK = st.sampled_from([-1, -2, -3, -60, -6000])


def turns(moves: st.SearchStrategy[int]) -> st.SearchStrategy[list[Turn]]:
    """Random streams whose clock moves so."""
    turn = st.builds(Turn, moves.map(lambda steps: steps * STEP), st.booleans(), st.integers(0, 2), EVENTS)
    return st.lists(turn, min_size=1, max_size=25)


def played(stream: list[Turn]) -> tuple[MemoryLedger, Model, int]:
    """The stream in the ledger and in the model, and the wall time at its end."""
    ledger, model = MemoryLedger(PLAN), Model(STEP)
    writers = [Writer(PLAN, f"writer-{number}") for number in range(3)]
    wall = T0
    for number, turn in enumerate(stream):
        wall = max(wall + turn.move_ns, T0 - DAY_NS) // STEP * STEP
        taken = wall + (STEP // 3 if turn.off_tick else 0)
        for verdict, group, count in turn.events:
            writers[turn.writer].add(key_of(verdict, group), count)
        ledger.append(writers[turn.writer].snapshot(taken, number))
        model.tick(taken, turn.events)
        assert model.newest_ns >= wall
    return ledger, model, model.newest_ns


def agree(ledger: MemoryLedger, model: Model, start_ns: int, end_ns: int) -> None:
    """Both count the same in a window, by region, by series, in total, and filtered."""
    for dims in (("region",), ("region", "tenant"), ("tenant",), ()):
        query = Counts(MEASURE, dims, start_ns, end_ns)
        found = ledger.answer((query,)).counts[query]
        assert {group: one.tally for group, one in found.items()} == {
            group: model.tally(group, start_ns, end_ns) for group in model.groups(dims)
        }
        assert {group: one.since_ns for group, one in found.items()} == {
            group: model.since_ns(group) for group in model.groups(dims)
        }
    second = ("tenant", "2")
    for dims in (("region",), ("region", "tenant")):
        filtered = Counts(MEASURE, dims, start_ns, end_ns, where=(second,))
        found = ledger.answer((filtered,)).counts[filtered]
        assert {group: one.tally for group, one in found.items()} == {
            tuple(pair for pair in group if pair[0] in dims): model.tally(group, start_ns, end_ns)
            for group in model.groups(("region", "tenant"))
            if second in group
        }


@given(turns(STEPS))
def test_windows_of_every_length_equal_the_model(stream: list[Turn]) -> None:
    """Gaps, idle days, several writers, groups, off-tick snapshots, thinning: every window of the plan is exact."""
    ledger, model, now = played(stream)
    for length in (STEP, 2 * STEP, 5 * MINUTE_NS, HOUR_NS, DAY_NS, 2 * DAY_NS - QUARTER_HOUR):
        agree(ledger, model, now - length, now)
        agree(ledger, model, now - length - STEP, now - STEP)
    edge = now // QUARTER_HOUR * QUARTER_HOUR
    for days in (1, 3, 7, 30):
        agree(ledger, model, edge - days * DAY_NS, edge)


@given(turns(STEPS | BACK))
@example([Turn(0, False, 0, ((Verdict.BAD, GROUPS[0], 7),)), Turn(-3 * STEP, False, 0, ())])
@example(
    [Turn(0, True, 0, ((Verdict.BAD, GROUPS[0], 7),)), Turn(-2 * STEP, True, 1, ((Verdict.BAD, GROUPS[0], 1),))]
)
def test_a_clock_that_steps_back_equals_the_model(stream: list[Turn]) -> None:
    """Small steps back wait, large ones quarantine the future: what is counted and what is not, both exactly."""
    ledger, model, now = played(stream)
    for length in (STEP, 5 * MINUTE_NS, HOUR_NS, DAY_NS):
        agree(ledger, model, now - length, now)
    assert ledger.health().quarantined == model.quarantined


@given(turns(STEPS | BACK))
def test_budgets_equal_the_model_in_fractions(stream: list[Turn]) -> None:
    """Consumed, state and burn of every window and group follow from the model's events by exact arithmetic."""
    ledger, model, now = played(stream)
    statuses = at(ledger, PLAN, now).statuses
    assert [status.group for status in statuses] == sorted(model.groups(("region",))) * len(WINDOWS)
    for status in statuses:
        length = int(status.slo[1:])
        consumed = model.consumed(status.group, status.as_of_ns - length, status.as_of_ns, TARGET)
        assert status.budget is not None
        if consumed is None:
            assert status.budget.consumed is None
            continue
        assert status.budget.consumed == pytest.approx(float(consumed), rel=1e-14)
        assert (status.state is State.BREACH) is (consumed > 1) or abs(consumed - 1) < Fraction(1, 10**14)
        for burn in status.burns:
            end = now if burn.window_ns < DAY_NS else now // QUARTER_HOUR * QUARTER_HOUR
            counted = model.tally(status.group, end - burn.window_ns, end)
            assert burn.valid == counted.good + counted.bad
            if burn.valid:
                assert burn.rate == pytest.approx(
                    float(Fraction(counted.bad, burn.valid) / (1 - TARGET)), rel=1e-14
                )


@given(turns(STEPS), st.sampled_from([STEP, MINUTE_NS, QUARTER_HOUR, HOUR_NS]))
def test_slices_add_up_to_the_model(stream: list[Turn], width: int) -> None:
    """The events per slice, of any width on the grid, equal the model's; empty slices are left out."""
    ledger, model, now = played(stream)
    end = now // HOUR_NS * HOUR_NS
    query = Slices(MEASURE, ("region",), end - DAY_NS, end, width)
    found = ledger.answer((query,)).slices[query]
    assert found.keys() <= model.groups(("region",))
    for group in model.groups(("region",)):
        expected = {
            stop: model.tally(group, stop - width, stop)
            for stop in range(end - DAY_NS + width, end + 1, width)
            if any(stop - width < event.end_ns <= stop and set(group) <= set(event.group) for event in model.events)
        }
        assert {one.end_ns: one.tally for one in found.get(group, ())} == expected


@given(turns(STEPS))
def test_a_slice_is_alive_when_a_snapshot_came(stream: list[Turn]) -> None:
    """Alive slices are those with a snapshot, with or without events."""
    ledger, _, now = played(stream)
    ends, wall = set(), T0
    for turn in stream:
        wall += turn.move_ns
        ends.add(wall + STEP if turn.off_tick else wall)
    query = Alive(now - HOUR_NS, now)
    found = ledger.answer((query,)).alive[query]
    assert set(found) == {end for end in ends if now - HOUR_NS < end <= now}
    assert list(found) == sorted(found)
