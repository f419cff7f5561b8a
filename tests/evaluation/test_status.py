"""A status in full: every field of its JSON, and the words of its notes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest

from slo_otel.evaluation import Answers, Scope, State, Status, StatusSet, evaluate
from slo_otel.evaluation._budget import derived, skewed
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import CellKey, CountedRule, Form, Kind, NoRule, Plan, RatioObjective, Tallying
from slo_otel.recorder import Tally
from slo_otel.units import DAY_NS, HOUR_NS, SECOND_NS, Rolling
from tests.evaluation.samples import STEP, T0, Writer, at, counted_slo, plan_of, ratio_slo, slo_of, status

DAY = Rolling(DAY_NS)


def told(plan: Plan, *, good: int, bad: int, excluded: int = 0, after_ns: int = HOUR_NS) -> Status:
    """The status of a plan's first SLO so long after its first events."""
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good(good)
    writer.bad(bad)
    writer.excluded(excluded)
    ledger.append(writer.snapshot(T0 + STEP))
    return status(ledger, plan, T0 + after_ns)


def test_the_json_of_a_status_says_all_of_it() -> None:
    """Nothing is missing, nothing has another name: 97 good, 3 bad, 25 excluded, six hours into a day."""
    slo = replace(ratio_slo("99%", Rolling(6 * HOUR_NS)), entry="checkout-entry")
    found = told(plan_of(slo), good=97, bad=3, excluded=25, after_ns=3 * HOUR_NS)
    burns = [
        {"window": window, "rate": None, "sli": None, "valid": 0, "state": "no_data"} for window in (300.0, 1800.0)
    ] + [
        {"window": 3600.0, "rate": None, "sli": None, "valid": 0, "state": "no_data"},
        {"window": 7200.0, "rate": None, "sli": None, "valid": 0, "state": "no_data"},
        {"window": 21600.0, "rate": 3.0, "sli": 0.97, "valid": 100, "state": "ok"},
    ]
    assert found.to_json() == {
        "slo": "checkout",
        "entry": "checkout-entry",
        "group": {},
        "state": "breach",
        "warming_up": True,
        "as_of": (T0 + 3 * HOUR_NS) / SECOND_NS,
        "window": "6h",
        "target": "99%",
        "objective": "99%",
        "events": {"good": 97, "bad": 3, "excluded": 25},
        "sli": 0.97,
        "excluded_share": 0.2,
        "coverage": 0.5,
        "first_observed": T0 / SECOND_NS,
        "budget": {"consumed": 1.5, "remaining": -0.5, "limit": 1.0, "spent": 3},
        "burns": burns,
        "notes": ["below objective, budget 150 % consumed"],
    }


def test_the_json_of_what_was_never_observed_has_nulls_and_no_numbers() -> None:
    """Unknown is null, not 0 and not 1; without data there is nothing to note."""
    plan = plan_of(ratio_slo("99%", Rolling(60 * SECOND_NS)))
    found = status(MemoryLedger(plan), plan, T0).to_json()
    unknown = [name for name, value in found.items() if value is None]
    assert unknown == ["sli", "excluded_share", "coverage", "first_observed"]
    assert (found["state"], found["warming_up"], found["notes"], found["burns"]) == ("no_data", True, [], [])
    assert found["budget"] == {"consumed": None, "remaining": None, "limit": None, "spent": 0}


def test_what_was_not_answered_was_never_observed() -> None:
    """Without answers an SLO has no data and no burn, one with groups has none of them; nothing fails."""
    plan = plan_of(ratio_slo("99%"), ratio_slo("99%", name="by-region", per=("region",)))
    (found,) = evaluate(plan, Answers(), T0, scope=Scope.PROCESS).statuses
    assert (found.slo, found.state, found.coverage) == ("checkout", State.NO_DATA, None)
    assert {(each.rate, each.valid) for each in found.burns} == {(None, 0)}


def test_what_is_not_evaluated_has_its_promise_and_nothing_else() -> None:
    """Its name, window, moment and objective are those of the policy; no number is made up, no budget burns."""
    probe = slo_of("probe", Form.PROBE, NoRule(Form.PROBE), RatioObjective(Fraction(999, 1000)), DAY)
    plan = plan_of(replace(probe, entry="probe-entry"))
    found = status(MemoryLedger(plan), plan, T0 + 16 * 60 * SECOND_NS)
    assert found.to_json() == {
        "slo": "probe",
        "entry": "probe-entry",
        "group": {},
        "state": "unsupported",
        "warming_up": False,
        "as_of": T0 / SECOND_NS + 900,
        "window": "1d",
        "target": "99.9%",
        "objective": "99.9%",
        "events": {"good": 0, "bad": 0, "excluded": 0},
        "sli": None,
        "excluded_share": None,
        "coverage": None,
        "first_observed": None,
        "budget": None,
        "burns": [],
        "notes": ["the SLI form probe is not evaluated"],
    }
    assert found.warming_up is False
    assert found.burns == ()


def test_the_json_of_a_set_is_its_moment_and_scope_and_the_notes_of_the_plan() -> None:
    """What the policy asks for and nobody evaluates is beside the statuses."""
    plan = replace(plan_of(ratio_slo("99%")), unsupported=("gates are not evaluated",))
    found = at(MemoryLedger(plan), plan, T0)
    assert found.to_json() == {
        "at": T0 / SECOND_NS,
        "scope": "process",
        "service": "shop",
        "statuses": [found.statuses[0].to_json()],
        "notes": ["gates are not evaluated"],
    }
    assert StatusSet(T0, Scope.HOST, "shop", ()).to_json()["scope"] == "host"


@pytest.mark.parametrize(
    ("target", "bad", "notes"),
    [
        ("99%", 20, ("below objective, budget 1000 % consumed",)),
        ("99%", 2, ("below objective, budget 100 % consumed",)),
        ("99%", 1, ()),
        ("99%", 0, ()),
        ("100%", 1, ("below objective, no budget to spend",)),
        (None, 20, ()),
    ],
)
def test_a_young_slo_below_its_objective_says_how_much_is_spent(
    target: str | None, bad: int, notes: tuple[str, ...]
) -> None:
    """Half a window after the first event, of 100 events; exactly on the objective is not below it."""
    found = told(plan_of(ratio_slo(target, DAY)), good=100 - bad, bad=bad, after_ns=12 * HOUR_NS)
    assert found.notes == notes


def test_an_old_slo_below_its_objective_has_its_state_and_no_note() -> None:
    """Once the window is covered, the budget itself says it."""
    found = told(plan_of(ratio_slo("99%", DAY)), good=80, bad=20, after_ns=DAY_NS)
    assert (found.state, found.warming_up, found.notes) == (State.BREACH, False, ())


@pytest.mark.parametrize("is_good", [True, False])
def test_what_follows_from_a_part_and_a_total_is_never_negative_nor_more_than_it(is_good: bool) -> None:
    """The total without what is excluded is split in two; a part beyond it is all of it, and is said."""
    tallying = Tallying.GOOD_TOTAL if is_good else Tallying.BAD_TOTAL
    for total, part, excluded in product((0, 5), (0, 3, 4, 5, 9), (0, 1, 4, 5, 6)):
        given = Tally(part, 0, excluded, total) if is_good else Tally(0, part, excluded, total)
        valid = max(total - excluded, 0)
        kept = min(part, valid)
        good, bad = (kept, valid - kept) if is_good else (valid - kept, kept)
        assert derived(tallying, given) == Tally(good, bad, excluded, valid)
        assert skewed(tallying, given) is (part > valid)


def test_of_good_and_bad_nothing_is_derived() -> None:
    """Both are counted by themselves; there is no whole that a part could be more than."""
    given = Tally(9, 2, 5, 1)
    assert (derived(Tallying.GOOD_BAD, given), skewed(Tallying.GOOD_BAD, given)) == (given, False)


@pytest.mark.parametrize(
    ("rule", "part", "rate"),
    [
        (CountedRule(Tallying.GOOD_TOTAL, good="part", total="all"), 95, 0.5),
        (CountedRule(Tallying.GOOD_TOTAL, good="part", total="all"), 103, 0.0),
        (CountedRule(Tallying.BAD_TOTAL, bad="part", total="all"), 20, 2.0),
        (CountedRule(Tallying.GOOD_BAD, good="all", bad="part"), 25, 2.0),
    ],
)
def test_a_burn_of_parts_and_totals_is_that_of_what_follows(rule: CountedRule, part: int, rate: float) -> None:
    """Of 100 counted in the last hour at 90 %: look-backs derive good and bad as the compliance window does."""
    plan = plan_of(counted_slo(rule))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.add(CellKey(Kind.COUNT, ("part",)), part)
    writer.add(CellKey(Kind.COUNT, ("all",)), 100)
    ledger.append(writer.snapshot(T0 + STEP))
    found = status(ledger, plan, T0 + HOUR_NS)
    burns = {each.window_ns: each for each in found.burns}
    for window_ns in (2 * HOUR_NS, 6 * HOUR_NS, DAY_NS):
        assert burns[window_ns].rate == pytest.approx(rate)
        assert (burns[window_ns].sli, burns[window_ns].valid) == (found.sli, found.tally.good + found.tally.bad)


def test_the_very_first_event_decides_where_none_may_be_bad() -> None:
    """100 %: one bad event of one is a breach and one good event is ok, whatever sample the policy asks for."""
    plan = plan_of(ratio_slo("100%", DAY, min_events=20, min_failures=3))
    assert told(plan, good=0, bad=1).state is State.BREACH
    assert told(plan, good=1, bad=0).state is State.OK
    assert {each.state for each in told(plan, good=0, bad=1).burns if each.valid} == {State.OK}
