"""`latency`: every threshold by itself, validity once for the whole SLO."""

from __future__ import annotations

import pytest

from slo_otel.plan import CellKey, LatencyRule, Measure, Outcome, Overrule, Predicate, Ruling, Split, Verdict, judge
from slo_otel.policy._grammar import parse_predicate
from tests.plan.builders import BAD, EXCLUDED, GOOD, NEVER, count, http, indicator, operation, plan_of

FAST, SLOW = 400_000_000, 2_000_000_000
RULE = LatencyRule(None, None, FAST)
ONLY = LatencyRule(parse_predicate("success"), None, FAST)
FIRST_BYTE = LatencyRule(None, True, FAST)


def timed(at_ns: int, *, first_byte: bool = False) -> Split:
    return Split(at_ns, Verdict.GOOD, Verdict.BAD, first_byte)


GONE = Split(FAST, Verdict.EXCLUDED, Verdict.BAD)


def rulings(rule: LatencyRule, key: CellKey, synthetic: Predicate = NEVER) -> dict[int | None, Ruling]:
    plan = plan_of(indicator(rule, thresholds=(FAST, SLOW)), synthetic=synthetic)
    return {found.measure.threshold_ns: found.ruling for found in judge(plan, key)}


@pytest.mark.parametrize(
    "key", [http(200), http(404), http(500), http(500, Outcome.EXCEPTION), operation(), operation(Outcome.ERROR)]
)
def test_every_answer_is_judged_by_its_time(key: CellKey) -> None:
    """A fast 500 is good for latency: each threshold splits by the duration."""
    assert rulings(RULE, key) == {FAST: timed(FAST), SLOW: timed(SLOW)}


@pytest.mark.parametrize(
    ("rule", "key", "expected"),
    [
        (RULE, http(None, Outcome.TIMEOUT), BAD),
        (RULE, http(200, Outcome.CANCELLED, by_server=True), BAD),
        (RULE, http(200, Outcome.CANCELLED), GONE),
        (RULE, operation(Outcome.CANCELLED), GONE),
        (RULE, http(200, overrule=Overrule.EXCLUDED), EXCLUDED),
        (RULE, http(200, Outcome.CANCELLED, overrule=Overrule.EXCLUDED), GONE),
        (LatencyRule(None, None, FAST, parse_predicate("401")), http(401), EXCLUDED),
        (LatencyRule(None, None, FAST, parse_predicate("401")), http(401, overrule=Overrule.GOOD), EXCLUDED),
    ],
)
def test_what_is_decided_once_for_the_whole_slo(rule: LatencyRule, key: CellKey, expected: Ruling) -> None:
    """Time-outs, cancellations and exclusions are the same for the objective's and every alert's threshold."""
    assert rulings(rule, key) == {FAST: expected, SLOW: expected}


@pytest.mark.parametrize("overrule", [Overrule.GOOD, Overrule.BAD])
def test_code_does_not_overrule_a_duration(overrule: Overrule) -> None:
    """Only `exclude()` overrules in latency SLOs."""
    assert rulings(RULE, http(200, overrule=overrule)) == {FAST: timed(FAST), SLOW: timed(SLOW)}


@pytest.mark.parametrize(
    ("key", "counts"),
    [
        (http(204), True),
        (http(302), False),
        (http(500), False),
        (http(200, Outcome.EXCEPTION), False),
        (http(None, Outcome.TIMEOUT), False),
        (operation(), True),
        (operation(Outcome.REJECTED), False),
    ],
)
def test_only_success_is_what_the_success_form_calls_good(key: CellKey, counts: bool) -> None:
    """`only: success` counts 2xx of requests (not 3xx) and successful operations, and nothing else."""
    assert bool(rulings(ONLY, key)) is counts


def test_event_streams_are_timed_to_the_first_byte() -> None:
    """`text/event-stream` to the first byte, everything else to the last, unless the policy says first."""
    assert rulings(RULE, http(event_stream=True))[FAST] == timed(FAST, first_byte=True)
    assert rulings(RULE, http())[FAST] == timed(FAST)
    assert rulings(FIRST_BYTE, http())[FAST] == timed(FAST, first_byte=True)


def test_leaving_a_stream_after_its_start_does_not_make_it_slow() -> None:
    """A client that leaves an answered stream changes nothing where the first byte is timed; before it, it does."""
    assert rulings(RULE, http(200, Outcome.CANCELLED, event_stream=True))[FAST] == timed(FAST, first_byte=True)
    assert rulings(RULE, http(None, Outcome.CANCELLED, event_stream=True))[FAST] == GONE


def test_test_traffic_is_excluded() -> None:
    """`synthetic` excludes from latency as well."""
    found = rulings(RULE, http(200, reason="t"), parse_predicate("reason=t"))
    assert set(found.values()) == {EXCLUDED}


def test_counts_have_no_duration() -> None:
    """A counted event that carries the name is no event of a latency SLI."""
    assert rulings(RULE, count("work")) == {}


@pytest.mark.parametrize(
    ("key", "expected"),
    [(http(500), GOOD), (http(None, Outcome.TIMEOUT), BAD), (http(200, overrule=Overrule.EXCLUDED), EXCLUDED)],
)
def test_without_a_threshold_everything_timed_is_valid(key: CellKey, expected: Ruling) -> None:
    """A latency SLI without an objective is measured and shown: one measure, nothing too slow, the rest as ever."""
    [found] = judge(plan_of(indicator(RULE)), key)
    assert (found.measure, found.ruling) == (Measure("one"), expected)
