"""Budgets and states: what is exact, unclamped, unknown, and when it is a breach."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slo_otel.evaluation import State, Status
from slo_otel.evaluation._budget import ErrorBudget, budget
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import SLO
from slo_otel.recorder import Tally
from slo_otel.units import DAY_NS, HOUR_NS, MINUTE_NS, Rolling, parse_percent
from tests.evaluation.samples import STEP, T0, Writer, plan_of, ratio_slo, status

DAY = Rolling(DAY_NS)


def after(slo: SLO, *, good: int = 0, bad: int = 0, excluded: int = 0) -> Status:
    """The status of an SLO over a day that was fully observed, with these events in it."""
    plan = plan_of(slo)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.excluded()
    ledger.append(writer.snapshot(T0 + STEP))
    writer.good(good)
    writer.bad(bad)
    writer.excluded(excluded)
    ledger.append(writer.snapshot(T0 + DAY_NS))
    return status(ledger, plan, T0 + DAY_NS + HOUR_NS)


def test_exactly_all_of_the_budget_is_no_breach_and_one_more_is() -> None:
    """Breach means consumed > 1: at exactly 100 % the SLO is ok, one bad event later it is not."""
    spent = after(ratio_slo("99.5%", DAY), good=995, bad=5)
    over = after(ratio_slo("99.5%", DAY), good=995, bad=6)
    assert spent.budget is not None
    assert over.budget is not None
    assert (spent.budget.consumed, spent.budget.remaining, spent.state) == (1.0, 0.0, State.OK)
    assert over.budget.consumed is not None
    assert (over.budget.consumed > 1, over.state) == (True, State.BREACH)


def test_the_budget_ratio_is_exact() -> None:
    """e is 0.005, not 1 − 0.995 = 0.0050000000000000044: one bad event in 200 is a burn of exactly 1."""
    found = after(ratio_slo("99.5%", DAY), good=199, bad=1)
    assert found.budget is not None
    assert found.budget.consumed == 1.0
    assert 1 / 200 / (1 - 0.995) != 1.0


def test_remaining_is_not_clamped() -> None:
    """Ten times the budget leaves −900 %; limit and spent are events."""
    found = after(ratio_slo("90%", DAY), bad=100)
    assert found.budget is not None
    assert found.budget.remaining == pytest.approx(-9)
    assert (found.budget.limit, found.budget.spent) == (10.0, 100)


def test_a_zero_budget_is_gone_with_the_first_bad_event() -> None:
    """100 %: nothing is consumed, or infinitely much; also below `min_events` and `min_failures`."""
    slo = ratio_slo("100%", DAY, min_events=20, min_failures=2)
    clean = after(slo, good=3)
    broken = after(slo, good=3, bad=1)
    assert clean.budget is not None
    assert broken.budget is not None
    assert (clean.budget.consumed, clean.budget.remaining, clean.state) == (0.0, 1.0, State.OK)
    assert (broken.budget.consumed, broken.budget.remaining) == (math.inf, -math.inf)
    assert (broken.budget.limit, broken.state, broken.burns[-1].state) == (0.0, State.BREACH, State.OK)


def test_a_young_zero_budget_is_said_in_words() -> None:
    """Warming up, one bad event of 100 %: the note names no infinite percentage."""
    plan = plan_of(ratio_slo("100%", DAY))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.bad(1)
    ledger.append(writer.snapshot(T0 + STEP))
    assert status(ledger, plan, T0 + HOUR_NS).notes == ("below objective, no budget to spend",)


def test_no_event_is_no_data_and_not_ok() -> None:
    """Without a valid event SLI, budget and burn are None, also when there were excluded ones."""
    found = after(ratio_slo("99%", DAY), excluded=7)
    assert found.state is State.NO_DATA
    assert found.sli is None
    assert found.excluded_share == 1.0
    assert found.budget is not None
    assert (found.budget.consumed, found.budget.remaining, found.budget.limit) == (None, None, None)
    assert {burn.rate for burn in found.burns} == {None}
    assert {burn.state for burn in found.burns} == {State.NO_DATA}


def test_nothing_covered_is_nothing_known() -> None:
    """Without coverage consumed is unknown and not 0, whatever was counted."""
    exact = Fraction(1, 100)
    found = budget(Tally(good=1, bad=1), ErrorBudget(exact, float(exact)), 0.0)
    assert (found.consumed, found.remaining, found.limit, found.spent) == (None, None, None, 1)


def test_excluded_events_are_in_neither_side_of_the_ratio() -> None:
    """Exclusions change the share of excluded events only, and are counted."""
    found = after(ratio_slo("99%", DAY), good=30, bad=10, excluded=60)
    assert found.sli == 0.75
    assert found.excluded_share == 0.6
    assert found.tally.excluded == 60


def test_too_few_events_are_insufficient_neither_ok_nor_breach() -> None:
    """Below `min_events` there is no verdict, at it there is one."""
    few = after(ratio_slo("99%", DAY, min_events=20), bad=19)
    enough = after(ratio_slo("99%", DAY, min_events=20), bad=20)
    assert (few.state, enough.state) == (State.INSUFFICIENT, State.BREACH)
    assert few.sli == 0.0


def test_too_few_failures_are_no_breach() -> None:
    """`min_failures: 2`: one bad event of twenty at 99.5 % is insufficient, two are a breach, none is ok."""
    slo = ratio_slo("99.5%", DAY, min_events=20, min_failures=2)
    states = [after(slo, good=20 - bad, bad=bad).state for bad in (0, 1, 2)]
    assert states == [State.OK, State.INSUFFICIENT, State.BREACH]


def test_without_an_objective_it_is_measured() -> None:
    """No objective: SLI and counts, no budget, no burn, and it cannot breach."""
    found = after(ratio_slo(None, DAY), good=1, bad=9)
    assert (found.sli, found.budget, found.burns) == (0.1, None, ())
    assert (found.state, found.target, found.objective) == (State.OK, None, None)


def test_burns_are_the_error_ratio_over_the_budget_ratio_in_each_look_back() -> None:
    """Look-backs not longer than the window; b/n/e in each; no events is None, few are insufficient."""
    plan = plan_of(ratio_slo("90%", DAY, min_events=10))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good(50)
    writer.bad(50)
    ledger.append(writer.snapshot(T0 + STEP))
    writer.good(9)
    ledger.append(writer.snapshot(T0 + HOUR_NS))
    now = T0 + HOUR_NS + 10 * MINUTE_NS
    burns = status(ledger, plan, now).burns
    assert [burn.window_ns // MINUTE_NS for burn in burns] == [5, 30, 60, 120, 360, 1440]
    assert [burn.rate for burn in burns] == [None, 0.0, 0.0, *[50 / 109 / 0.1] * 3]
    states = [State.NO_DATA, State.INSUFFICIENT, State.INSUFFICIENT, *[State.OK] * 3]
    assert [burn.state for burn in burns] == states
    assert [burn.valid for burn in burns] == [0, 9, 9, 109, 109, 109]


def test_a_burn_on_too_few_failures_is_insufficient() -> None:
    """`min_failures: 2`: a burn with one bad event is not acted on, with none or two it is."""
    slo = ratio_slo("99%", DAY, min_failures=2)
    states = [after(slo, good=20, bad=bad).burns[-1].state for bad in (0, 1, 2)]
    assert states == [State.OK, State.INSUFFICIENT, State.OK]


def test_a_zero_budget_burns_infinitely_or_not_at_all() -> None:
    """Against a target of 100 % the burn rate is 0 without and infinite with a bad event."""
    burns = after(ratio_slo("100%", DAY), good=1, bad=1).burns
    assert {burn.window_ns: burn.rate for burn in burns}[2 * HOUR_NS] == math.inf
    quiet = after(ratio_slo("100%", DAY), good=1).burns
    assert {burn.window_ns: burn.rate for burn in quiet}[2 * HOUR_NS] == 0.0


TARGETS = st.sampled_from(["50%", "90%", "95%", "98%", "99%", "99.5%", "99.8%", "99.9%", "99.95%", "99.99%"])


@given(TARGETS, st.integers(0, 10**7), st.integers(0, 10**5))
@example("99.95%", 1999, 1)
@example("99.9%", 999_000, 1000)
@example("98%", 49, 1)
def test_a_breach_is_what_fractions_say(target: str, good: int, bad: int) -> None:
    """At full coverage breach is exactly b > e·n, decided in binary64 as in exact arithmetic."""
    found = after(ratio_slo(target, DAY), good=good, bad=bad)
    if good + bad == 0:
        assert found.state is State.NO_DATA
        return
    over = bad > (1 - parse_percent(target)) * (good + bad)
    assert (found.state is State.BREACH) is over
    assert found.budget is not None
    assert found.budget.consumed is not None
    exact = Fraction(bad, good + bad) / (1 - parse_percent(target))
    assert found.budget.consumed == pytest.approx(float(exact), rel=1e-15)
