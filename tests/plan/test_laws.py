"""What holds for every event under every predicate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slo_otel.plan import (
    CellKey,
    Fixed,
    Form,
    Kind,
    LatencyRule,
    Outcome,
    Overrule,
    Predicate,
    RatioRule,
    Ruling,
    Split,
    Verdict,
    judge,
)
from slo_otel.policy._grammar import parse_predicate
from tests.plan.builders import BAD, EXCLUDED, indicator, plan_of, ruling

PREDICATES = st.sampled_from(
    [
        parse_predicate(text)
        for text in (
            "2xx",
            "2xx or 3xx",
            "5xx",
            "503",
            "success",
            "rejected or error",
            "exception",
            "timeout or cancelled",
            "cancelled if reason=slow",
            "reason=slow",
            "reason!=slow",
            "status=200",
            "4xx if reason=slow or timeout",
        )
    ]
)
TIMES = (100_000_000, 400_000_000, 2_000_000_000)
KEYS = st.builds(
    CellKey,
    kind=st.sampled_from((Kind.HTTP, Kind.OPERATION)),
    names=st.just(("work",)),
    status=st.one_of(st.none(), st.integers(100, 599)),
    outcome=st.sampled_from(Outcome),
    overrule=st.one_of(st.none(), st.sampled_from(Overrule)),
    reason=st.sampled_from((None, "slow", "other")),
    by_server=st.booleans(),
    event_stream=st.booleans(),
)
RULES = st.builds(
    RatioRule,
    st.sampled_from((Form.SUCCESS, Form.ERRORS)),
    st.one_of(st.none(), PREDICATES),
    st.one_of(st.just(Predicate()), PREDICATES),
)


def cut_off(key: CellKey) -> bool:
    """A timeout, or a cancellation that was not the client's."""
    return key.outcome is Outcome.TIMEOUT or (key.outcome is Outcome.CANCELLED and key.by_server)


@given(RULES, KEYS)
def test_every_event_of_a_ratio_has_one_verdict(rule: RatioRule, key: CellKey) -> None:
    """Good, bad or excluded; only a client that left is split by its time, never into good."""
    found = ruling(rule, key)
    assert isinstance(found, Fixed | Split)
    if isinstance(found, Split):
        assert (key.outcome, key.by_server) == (Outcome.CANCELLED, False)
        assert (found.below, found.above) == (Verdict.EXCLUDED, Verdict.BAD)


@given(RULES, KEYS)
def test_what_was_cut_off_is_never_good(rule: RatioRule, key: CellKey) -> None:
    """A timeout or a server's cancellation is bad, or excluded by the policy; no predicate makes it good."""
    if cut_off(key):
        expected = EXCLUDED if key.overrule is not Overrule.BAD and rule.exclude.matches(key) else BAD
        assert ruling(rule, key) == expected


@given(RULES, KEYS)
def test_an_exception_is_good_only_where_an_errors_predicate_leaves_it_out(rule: RatioRule, key: CellKey) -> None:
    """Neither `good()` nor a `good:` of the policy turns an exception into a success."""
    if key.outcome is Outcome.EXCEPTION and ruling(rule, key) == Fixed(Verdict.GOOD):
        assert rule.form is Form.ERRORS
        assert rule.predicate is not None


@given(RULES, KEYS, st.sampled_from(Overrule))
def test_code_has_the_last_word_on_an_answer(rule: RatioRule, key: CellKey, said: Overrule) -> None:
    """`good()`, `bad()`, `exclude()` decide every event that was answered."""
    if key.outcome in (Outcome.SUCCESS, Outcome.REJECTED, Outcome.ERROR):
        assert ruling(rule, key._replace(overrule=said)) == Fixed(Verdict(said.value))


@given(KEYS, st.booleans(), PREDICATES)
def test_latency_is_valid_for_all_thresholds_or_for_none(
    key: CellKey, first_byte: bool, exclude: Predicate
) -> None:
    """What is excluded or cut off is so at every threshold; the rest splits at each threshold by itself."""
    rule = LatencyRule(None, first_byte or None, TIMES[1], exclude)
    found: list[Ruling] = [one.ruling for one in judge(plan_of(indicator(rule, thresholds=TIMES)), key)]
    assert len(found) == len(TIMES)
    if any(isinstance(one, Split) and one.below is Verdict.GOOD for one in found):
        assert [one.at_ns for one in found if isinstance(one, Split)] == list(TIMES)
    else:
        assert len(set(found)) == 1
