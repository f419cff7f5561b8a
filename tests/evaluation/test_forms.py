"""What an SLO is about: latencies, counted outcomes, groups, what is not evaluated; texts and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from slo_otel.evaluation import State, Status
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import (
    UNSET,
    AgeState,
    AttributeTest,
    CellKey,
    Clause,
    Cmp,
    CountedRule,
    Form,
    Kind,
    LatencyObjective,
    MaxObjective,
    MeanObjective,
    NoRule,
    Objective,
    Predicate,
    RatioObjective,
    ShareObjective,
    Tallying,
    Timeslices,
    ValueState,
)
from slo_otel.units import DAY_NS, HOUR_NS, MINUTE_NS, Period, parse_quantity
from tests.evaluation.samples import (
    MONTH,
    STEP,
    T0,
    Writer,
    at,
    counted_slo,
    latency_slo,
    plan_of,
    ratio_slo,
    slo_of,
    status,
)

MS = 1_000_000
TEST_USER = Predicate((Clause(None, (AttributeTest("test_user", ("true",), negated=False),)),))


def test_a_percentile_is_the_share_of_events_within_the_threshold() -> None:
    """p95 < 400ms: 95 of 100 at most 400 ms is ok and exactly all of the budget; 400 ms itself is good."""
    thresholds = (400 * MS, 750 * MS)
    fast = latency_slo("latency", "95%", 400 * MS, thresholds)
    slow = replace(fast, name="latency-slow", objective=LatencyObjective(Fraction(99, 100), 750 * MS))
    plan = plan_of(fast, slow)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.timed([0.4] * 95 + [0.4000001] * 4 + [0.8], CellKey(Kind.OPERATION, ("checkout",)))
    ledger.append(writer.snapshot(T0 + STEP))
    found = at(ledger, plan, T0 + HOUR_NS)
    p95, p99 = found.statuses
    assert (p95.tally.good, p95.tally.bad, p95.state) == (95, 5, State.OK)
    assert (p99.tally.good, p99.tally.bad) == (99, 1)
    assert (p95.objective, p95.target) == ("p95 < 400ms", "95%")


def exchange(rule: CountedRule, events: dict[str, int], excluded: dict[str, int] | None = None) -> Status:
    """The status of a counted SLO after events by name, some of them excluded."""
    plan = plan_of(counted_slo(replace(rule, exclude=TEST_USER)))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    for name, count in events.items():
        writer.add(CellKey(Kind.COUNT, (name,)), count)
    for name, count in (excluded or {}).items():
        writer.add(CellKey(Kind.COUNT, (name,), attributes=(("test_user", "true"),)), count)
    ledger.append(writer.snapshot(T0 + STEP))
    return status(ledger, plan, T0 + HOUR_NS)


def test_of_good_and_total_the_bad_follow() -> None:
    """95 good of a total of 100 are 5 bad."""
    found = exchange(CountedRule(Tallying.GOOD_TOTAL, good="won", total="all"), {"won": 95, "all": 100})
    assert (found.tally.good, found.tally.bad, found.sli) == (95, 5, 0.95)


def test_of_bad_and_total_the_good_follow() -> None:
    """20 bad of a total of 100 are 80 good: twice the budget of 90 %."""
    found = exchange(CountedRule(Tallying.BAD_TOTAL, bad="lost", total="all"), {"lost": 20, "all": 100})
    assert (found.tally.good, found.tally.bad, found.sli) == (80, 20, 0.8)


def test_more_good_than_total_is_clamped_and_said() -> None:
    """`good > total` never makes an SLI above 1 or a negative count; the data's fault is a note."""
    found = exchange(CountedRule(Tallying.GOOD_TOTAL, good="won", total="all"), {"won": 103, "all": 100})
    assert (found.tally.good, found.tally.bad, found.sli, found.state) == (100, 0, 1.0, State.OK)
    assert found.notes == ("more parts than the total were counted; the difference is left out",)


def test_an_exclusion_takes_the_event_out_of_part_and_total() -> None:
    """Excluded events of both names: neither good nor bad, and excluded once, by the total."""
    rule = CountedRule(Tallying.GOOD_TOTAL, good="won", total="all")
    found = exchange(rule, {"won": 8, "all": 10}, excluded={"won": 3, "all": 5})
    assert (found.tally.good, found.tally.bad, found.tally.excluded) == (8, 2, 5)
    assert found.notes == ("below objective, budget 0 % consumed",)


def test_of_good_and_bad_nothing_follows() -> None:
    """Two counters of their own, each exclusion counted."""
    rule = CountedRule(Tallying.GOOD_BAD, good="won", bad="lost")
    found = exchange(rule, {"won": 9, "lost": 1}, excluded={"won": 1, "lost": 1})
    assert (found.tally.good, found.tally.bad, found.tally.excluded, found.notes) == (9, 1, 2, ())


def test_an_event_sli_counts_and_has_no_ratio() -> None:
    """`event:` has neither good nor bad, no budget, and data once something happened."""
    plan = plan_of(slo_of("panic", Form.EVENT, NoRule(Form.EVENT), None))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    assert status(ledger, plan, T0).state is State.NO_DATA
    writer.good(3)
    ledger.append(writer.snapshot(T0 + STEP))
    found = status(ledger, plan, T0 + HOUR_NS)
    assert (found.tally.total, found.sli, found.budget, found.state) == (3, None, None, State.OK)


def test_every_group_has_its_own_budget_and_stays() -> None:
    """`per: region`: a status each, sorted, with its own first observation; a silent group is no_data, not gone."""
    plan = plan_of(ratio_slo("99%", per=("region",), keep=("tenant",)))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good(10, (("region", "us"), ("tenant", "a")))
    writer.bad(1, (("region", "us"), ("tenant", "b")))
    ledger.append(writer.snapshot(T0 + STEP))
    writer.good(5)
    ledger.append(writer.snapshot(T0 + 40 * DAY_NS))
    found = at(ledger, plan, T0 + 40 * DAY_NS)
    assert [dict(one.group) for one in found.statuses] == [{"region": UNSET}, {"region": "us"}]
    unset, us = found.statuses
    assert (unset.tally.good, us.state, us.first_observed_ns, us.coverage) == (5, State.NO_DATA, T0, 1.0)
    early = at(ledger, plan, T0 + HOUR_NS).find("checkout", {"region": "us"})
    assert early is not None
    assert (early.tally.good, early.tally.bad) == (10, 1)


def test_the_first_observation_survives_a_gap() -> None:
    """A service that was silent for days is as old as its first event, not as its last."""
    plan = plan_of(ratio_slo("99%"))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.excluded()
    ledger.append(writer.snapshot(T0 + STEP))
    for day in (10, 20, 75):
        writer.good()
        ledger.append(writer.snapshot(T0 + day * DAY_NS))
    found = status(ledger, plan, T0 + 75 * DAY_NS)
    assert (found.first_observed_ns, found.coverage, found.tally.good) == (T0, 1.0, 1)


def test_what_is_not_evaluated_says_so() -> None:
    """A form, a budgeting method or a construct without evaluation is `unsupported`, with the reason."""
    probe = slo_of("probe", Form.PROBE, NoRule(Form.PROBE), RatioObjective(Fraction(99, 100)))
    sliced = replace(ratio_slo(), name="sliced", budgeting=Timeslices(MINUTE_NS, Fraction(1, 2)))
    told = replace(ratio_slo(), name="told", unsupported=("users_affected needs a sketch",))
    plan = plan_of(probe, sliced, told)
    found = at(MemoryLedger(plan), plan, T0)
    assert [one.state for one in found.statuses] == [State.UNSUPPORTED] * 3
    assert [one.notes for one in found.statuses] == [
        ("the SLI form probe is not evaluated",),
        ("only the budgeting method occurrences is evaluated",),
        ("users_affected needs a sketch",),
    ]


def test_check_only_slos_are_shown() -> None:
    """`evaluate: check` changes who judges, not what is measured."""
    plan = plan_of(replace(ratio_slo("99%"), evaluate="check"))
    assert len(at(MemoryLedger(plan), plan, T0).statuses) == 1


TEXTS: list[tuple[Objective, str]] = [
    (RatioObjective(Fraction(1999, 2000)), "99.95%"),
    (LatencyObjective(Fraction(999, 1000), 1500 * MS), "p99.9 < 1500ms"),
    (LatencyObjective(Fraction(1, 2), 2000 * MS), "p50 < 2s"),
    (ShareObjective(Fraction(99, 100), ValueState(Cmp.LT, parse_quantity("10"))), "99% of value < 10"),
    (ValueState(Cmp.LE, parse_quantity("80%")), "value <= 80%"),
    (AgeState(24 * HOUR_NS), "age < 1d"),
    (MeanObjective(30 * MINUTE_NS), "mean < 30m"),
    (MaxObjective(15 * MINUTE_NS), "max < 15m"),
]


@pytest.mark.parametrize(("objective", "text"), TEXTS)
def test_an_objective_reads_as_a_person_writes_it(objective: Objective, text: str) -> None:
    """The objective's text and the exact target, also where nothing is evaluated."""
    plan = plan_of(slo_of("any", Form.GAUGE, NoRule(Form.GAUGE), objective))
    assert status(MemoryLedger(plan), plan, T0).objective == text


def test_the_window_reads_as_in_the_policy() -> None:
    """`30d` and `month`."""
    plan = plan_of(ratio_slo(window=MONTH), ratio_slo(window=Period.MONTH))
    assert [one.window for one in at(MemoryLedger(plan), plan, T0).statuses] == ["30d", "month"]


def test_the_json_is_strict_and_says_infinity_in_words() -> None:
    """`json.dumps` without NaN or Infinity takes it; unknown is null, infinite is `inf`, times are seconds."""
    plan = plan_of(ratio_slo("100%", name="zero", per=("region",)), ratio_slo("99%", name="new"), ratio_slo(None))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.bad(2, (("region", "eu"),))
    ledger.append(writer.snapshot(T0 + STEP))
    now = T0 + STEP
    text = json.dumps(at(ledger, plan, now).to_json(), allow_nan=False)
    found = json.loads(text)
    assert (found["at"], found["scope"], found["service"]) == (1_750_032_015.0, "process", "shop")
    json_of = {one["slo"]: one for one in found["statuses"]}
    zero = json_of["zero"]
    assert zero["group"] == {"region": "eu"}
    assert (zero["state"], zero["as_of"], zero["first_observed"]) == ("no_data", 1_750_032_000.0, 1_750_032_000.0)
    assert zero["budget"] == {"consumed": None, "remaining": None, "limit": None, "spent": 0}
    assert zero["burns"][0] == {"window": 300.0, "rate": "inf", "sli": 0.0, "valid": 2, "state": "ok"}
    assert json_of["checkout"]["budget"] is None
    later = json.dumps(at(ledger, plan, T0 + HOUR_NS).to_json(), allow_nan=False)
    spent = json.loads(later)["statuses"][0]["budget"]
    assert spent == {"consumed": "inf", "remaining": "-inf", "limit": 0.0, "spent": 2}


def test_a_status_is_found_by_name_and_group() -> None:
    """Without its group an SLO of several groups is ambiguous, so there is no answer."""
    plan = plan_of(ratio_slo("99%", per=("region",)))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    for region in ("eu", "us"):
        writer.good(1, (("region", region),))
    ledger.append(writer.snapshot(T0 + STEP))
    found = at(ledger, plan, T0 + HOUR_NS)
    assert found.find("checkout") is None
    assert found.find("checkout", {"region": "eu"}) is found.statuses[0]
    assert found.find("nothing", {"region": "eu"}) is None
