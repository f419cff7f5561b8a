"""Mistakes that evaluators of service levels are known to make, each with the numbers by which it shows."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slo_otel.evaluation import Json, Scope, State, evaluate, needs, statuses
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import CellKey, Kind
from slo_otel.units import DAY_NS, HOUR_NS, MINUTE_NS, Period, Rolling, parse_percent
from tests.evaluation.samples import STEP, T0, Writer, at, latency_slo, plan_of, ratio_slo, status

HOUR = Rolling(HOUR_NS)
MS = 1_000_000


@pytest.mark.parametrize(
    ("target", "most"),
    [("99.99%", 10_000), ("99.9%", 1000), ("99.5%", 200), ("98%", 50), ("95%", 20), ("90%", 10), ("50%", 2)],
)
def test_total_failure_burns_one_by_the_budget_and_no_more(target: str, most: int) -> None:
    """The largest burn rate is `1/e`, to the last bit: with `e = 1 - 0.999` it would be 999.9999999999991."""
    plan = plan_of(ratio_slo(target, HOUR))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.bad(7)
    ledger.append(writer.snapshot(T0 + STEP))
    assert {burn.rate for burn in status(ledger, plan, T0 + STEP).burns} == {float(most)}


def test_what_never_failed_has_a_ratio_and_burns_nothing() -> None:
    """No bad event, no series of bad ones: the SLI is 1 and the burn 0, not unknown."""
    plan = plan_of(ratio_slo("99.9%", HOUR))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good(5)
    ledger.append(writer.snapshot(T0 + STEP))
    found = status(ledger, plan, T0 + STEP)
    assert (found.sli, found.state, [burn.rate for burn in found.burns]) == (1.0, State.OK, [0.0] * 3)
    assert found.budget is not None
    assert (found.budget.consumed, found.budget.spent) == (0.0, 0)


def test_the_first_event_of_a_series_counts() -> None:
    """The failures that make the series are seen: a rate between two samples would see none of the twelve."""
    plan = plan_of(ratio_slo("99%", HOUR))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    ledger.append(writer.snapshot(T0 + STEP))
    writer.bad(12)
    ledger.append(writer.snapshot(T0 + 2 * STEP))
    assert status(ledger, plan, T0 + 2 * STEP).tally.bad == 12


def test_ten_failures_are_ten_wherever_the_window_ends() -> None:
    """Counts are never extrapolated: at each of the 20 ticks between two bursts the 5 minutes hold whole events."""
    plan = plan_of(ratio_slo("99%", Rolling(5 * MINUTE_NS)))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    seen = []
    for tick in range(1, 61):
        if tick % 20 == 0:
            writer.bad(10)
        ledger.append(writer.snapshot(T0 + tick * STEP))
        seen.append(status(ledger, plan, T0 + tick * STEP).tally.bad if tick >= 20 else 10)
    assert set(seen) == {10}


def test_an_old_series_is_not_new_after_a_gap() -> None:
    """Eight minutes without a snapshot: the window counts what is new, 3, not the 500 of the series' life."""
    plan = plan_of(ratio_slo("99%", Rolling(5 * MINUTE_NS)))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.bad(500)
    ledger.append(writer.snapshot(T0 + STEP))
    writer.bad(3)
    ledger.append(writer.snapshot(T0 + STEP + 8 * MINUTE_NS, late=True))
    assert status(ledger, plan, T0 + STEP + 8 * MINUTE_NS).tally.bad == 3


def test_a_restart_does_not_give_back_the_budget_as_if_it_were_known() -> None:
    """A process that starts empty says so: warming up, remaining unknown, then next to nothing covered."""
    plan = plan_of(ratio_slo("99%"))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    fresh = status(ledger, plan, T0)
    writer.good(100)
    ledger.append(writer.snapshot(T0 + STEP))
    later = status(ledger, plan, T0 + 15 * MINUTE_NS)
    assert fresh.budget is not None
    assert (fresh.warming_up, fresh.state, fresh.budget.remaining) == (True, State.NO_DATA, None)
    assert (later.warming_up, later.coverage) == (True, 15 / (30 * 24 * 60))


def test_a_percentile_over_groups_is_of_their_events() -> None:
    """A slow region of ten requests, a fast one of 990: p95 of all is met, the mean of their shares is 50 %."""
    slo = latency_slo("latency", "95%", 400 * MS, (400 * MS,))
    plan = plan_of(slo)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    for region, duration, count in (("eu", 0.1, 990), ("us", 2.0, 10)):
        key = CellKey(Kind.OPERATION, ("checkout",), attributes=(("region", region),))
        writer.timed([duration] * count, key)
    ledger.append(writer.snapshot(T0 + STEP))
    found = status(ledger, plan, T0 + 15 * MINUTE_NS)
    assert (found.tally.good, found.tally.bad, found.sli, found.state) == (990, 10, 0.99, State.OK)


def test_every_number_is_of_one_scope_and_says_which() -> None:
    """One worker's counts are not the host's: the scope goes with the numbers."""
    plan = plan_of(ratio_slo("99%"))
    answers = MemoryLedger(plan).answer(needs(plan, T0))
    assert [evaluate(plan, answers, T0, scope=scope).scope for scope in Scope] == list(Scope)


def test_statuses_one_by_one_are_those_of_the_set() -> None:
    """A driver that pauses between two of them gets what `evaluate` says at once."""
    plan = plan_of(ratio_slo("99%", per=("region",)), ratio_slo("95%", HOUR, name="all"))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good(9, (("region", "eu"),))
    writer.bad(1, (("region", "us"),))
    ledger.append(writer.snapshot(T0 + STEP))
    answers = ledger.answer(needs(plan, T0 + HOUR_NS))
    one_by_one = tuple(statuses(plan, answers, T0 + HOUR_NS))
    assert one_by_one == evaluate(plan, answers, T0 + HOUR_NS, scope=Scope.PROCESS).statuses
    assert len(one_by_one) == 3


def numbers(value: Json) -> list[float]:
    """Every number of a JSON document."""
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [float(value)] if isinstance(value, int | float) else []


@given(
    st.sampled_from(["100%", "99.95%", "99%", "50%", None]),
    st.sampled_from([HOUR, Rolling(30 * DAY_NS), Period.DAY, Period.YEAR]),
    st.tuples(*[st.integers(0, 3) | st.integers(0, 2**62)] * 3),
    st.sampled_from([0, STEP, 5 * MINUTE_NS, 15 * MINUTE_NS, HOUR_NS, 2 * DAY_NS, 400 * DAY_NS]),
)
@example("100%", HOUR, (0, 1, 0), STEP)
@example("99%", HOUR, (0, 0, 1), STEP)
def test_no_status_turns_into_nan_or_infinity(
    target: str | None, window: Rolling | Period, counts: tuple[int, int, int], after_ns: int
) -> None:
    """Any events at any age: strict JSON, finite numbers, texts for the infinite, and the counts as they are."""
    plan = plan_of(ratio_slo(target, window))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good(counts[0])
    writer.bad(counts[1])
    writer.excluded(counts[2])
    ledger.append(writer.snapshot(T0 + STEP))
    found = at(ledger, plan, T0 + STEP + after_ns)
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert all(map(math.isfinite, numbers(told)))
    (one,) = found.statuses
    assert told["statuses"][0]["events"] == {
        "good": one.tally.good,
        "bad": one.tally.bad,
        "excluded": one.tally.excluded,
    }
    assert told["statuses"][0]["target"] == target


@given(st.integers(1, 10**6 - 1).map(lambda part: Fraction(part, 10**6)))
def test_a_target_is_printed_as_the_decimal_that_it_is(target: Fraction) -> None:
    """What `target` says, read back, is the exact share: no 99.94999999999999 %."""
    text = f"{target.numerator * 100 * (10**6 // target.denominator) / 10**6:.4f}%"
    plan = plan_of(ratio_slo(text))
    told = status(MemoryLedger(plan), plan, T0).to_json()["target"]
    assert isinstance(told, str)
    assert parse_percent(told) == target
