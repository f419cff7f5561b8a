"""Every formula of the evaluation on every small case, against fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import pytest

from slo_otel.evaluation import Burn, State
from slo_otel.evaluation._budget import (
    ErrorBudget,
    Sample,
    budget,
    burn,
    burn_rate,
    coverage,
    excluded_share,
    sli,
    state,
)
from slo_otel.evaluation._windows import Span
from slo_otel.recorder import Tally

SMALL = range(6)
BUDGETS = [Fraction(0), Fraction(1, 100), Fraction(1, 2), Fraction(1)]
SAMPLES = [Sample(*sizes) for sizes in product((1, 2, 5), (1, 2, 3))]


def rate_of(bad: int, valid: int, ratio: Fraction) -> float:
    """`(b / n) / e` of fractions; of a zero budget nothing is spent, or infinitely much."""
    if ratio:
        return float(Fraction(bad, valid) / ratio)
    return math.inf if bad else 0.0


@pytest.mark.parametrize("exact", BUDGETS)
def test_a_burn_is_the_error_ratio_over_the_budget_with_its_sample(exact: Fraction) -> None:
    """Rate, SLI, number of events and state of every small window; at `min_events` there are enough of them."""
    error_budget = ErrorBudget(exact, float(exact))
    for good, bad, sample in product(SMALL, SMALL, SAMPLES):
        found = burn(Tally(good, bad, 7, 9), 300, error_budget, sample)
        valid = good + bad
        if not valid:
            assert found == Burn(300, None, None, 0, State.NO_DATA)
            continue
        few = valid < sample.min_events or bad in range(1, sample.min_failures)
        assert found.rate == pytest.approx(rate_of(bad, valid, exact), rel=1e-15)
        assert (found.window_ns, found.valid) == (300, valid)
        assert (found.sli, found.state) == (good / valid, State.INSUFFICIENT if few else State.OK)


@pytest.mark.parametrize("exact", BUDGETS)
@pytest.mark.parametrize("covered", [None, 0.0, 0.25, 1.0])
def test_a_budget_is_the_burn_times_what_is_covered(exact: Fraction, covered: float | None) -> None:
    """Consumed, remaining, how many events may be bad and how many are; unknown without events or coverage."""
    error_budget = ErrorBudget(exact, float(exact))
    for good, bad in product(SMALL, SMALL):
        found = budget(Tally(good, bad, 7, 9), error_budget, covered)
        assert found.spent == bad
        if not (good + bad and covered):
            assert (found.consumed, found.remaining, found.limit) == (None, None, None)
            continue
        consumed = rate_of(bad, good + bad, exact) * covered
        assert found.consumed == pytest.approx(consumed, rel=1e-15)
        assert found.remaining == pytest.approx(1 - consumed, rel=1e-14)
        assert found.limit == float(exact * (good + bad))


def test_more_than_the_budget_is_bad_when_the_fraction_is_above_it() -> None:
    """`exceeded` is exact where the quotient of floats rounds: 1 of 10 is not more than a tenth."""
    for bad, valid, part, whole in product(range(12), range(1, 12), range(4), range(1, 12)):
        exact = Fraction(part, whole)
        assert ErrorBudget(exact, float(exact)).exceeded(bad, valid) is (Fraction(bad, valid) > exact)


def test_shares_are_unknown_without_an_event() -> None:
    """SLI and share of excluded events are quotients of counts, and None of nothing."""
    for good, bad, excluded in product(SMALL, SMALL, SMALL):
        seen = good + bad + excluded
        assert sli(good, bad) == (good / (good + bad) if good + bad else None)
        assert excluded_share(Tally(good, bad, excluded, 4)) == (excluded / seen if seen else None)
    assert burn_rate(0, 0, 0.0) is None


def test_a_state_needs_events_then_failures() -> None:
    """`no_data`, `insufficient`, `ok`, `breach` of every small case, written as one table."""
    for valid, bad, sample, breached in product(SMALL, SMALL, SAMPLES, (True, False)):
        too_few = valid < sample.min_events or (breached and bad < sample.min_failures)
        expected = State.BREACH if breached else State.OK
        expected = State.INSUFFICIENT if too_few else expected
        assert state(valid, bad, sample, breached=breached) is (expected if valid else State.NO_DATA)


@pytest.mark.parametrize(("start", "end", "length"), [(100, 200, 100), (100, 130, 100)])
def test_coverage_is_how_much_of_the_window_was_observed(start: int, end: int, length: int) -> None:
    """From the first observation, or the window's start, to its end, of the whole period; never below 0."""
    for since in range(80, 220):
        observed = sum(since <= moment for moment in range(start, end))
        assert coverage(Span(start, end, length), since) == observed / length
