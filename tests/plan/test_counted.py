"""Counted domain outcomes: two names, the third number follows."""

from __future__ import annotations

import pytest

from slo_otel.plan import (
    CellKey,
    CountedRule,
    Fixed,
    Form,
    Match,
    NameTerm,
    NoRule,
    Outcome,
    Overrule,
    Predicate,
    Selection,
    Tallying,
    Verdict,
)
from slo_otel.policy._grammar import parse_predicate
from tests.plan.builders import BAD, EXCLUDED, GOOD, count, ruling

CALLS = Selection(Match((NameTerm("won"), NameTerm("lost"), NameTerm("all"))))
TOTAL = Fixed(None, total=True)


def rule(tallying: Tallying, exclude: str = "") -> CountedRule:
    good = None if tallying is Tallying.BAD_TOTAL else "won"
    bad = None if tallying is Tallying.GOOD_TOTAL else "lost"
    total = None if tallying is Tallying.GOOD_BAD else "all"
    return CountedRule(tallying, good, bad, total, parse_predicate(exclude) if exclude else Predicate())


BY_BOTH, BY_GOOD, BY_BAD = Tallying.GOOD_BAD, Tallying.GOOD_TOTAL, Tallying.BAD_TOTAL
LEFT_OUT = Fixed(Verdict.EXCLUDED, total=True)
TESTED = (("tenant", "test"),)


@pytest.mark.parametrize(
    ("of", "key", "expected"),
    [
        (rule(BY_BOTH), count("won"), GOOD),
        (rule(BY_BOTH), count("lost"), BAD),
        (rule(BY_BOTH), count("all"), None),
        (rule(BY_GOOD), count("won"), GOOD),
        (rule(BY_GOOD), count("all"), TOTAL),
        (rule(BY_GOOD), count("lost"), None),
        (rule(BY_BAD), count("lost"), BAD),
        (rule(BY_BAD), count("all", "lost"), Fixed(Verdict.BAD, total=True)),
        (rule(BY_BOTH, "reason=low"), count("lost", reason="low"), EXCLUDED),
        (rule(BY_BOTH, "tenant=test"), count("won", attributes=TESTED), EXCLUDED),
        (rule(BY_BAD, "reason=low"), count("lost", reason="low"), EXCLUDED),
        (rule(BY_BAD, "reason=low"), count("all", reason="low"), LEFT_OUT),
        (rule(BY_BAD, "reason=low"), count("all", "lost", reason="low"), LEFT_OUT),
        (rule(BY_BAD, "tenant=test"), count("all", attributes=TESTED), LEFT_OUT),
        (rule(BY_BAD, "tenant=test"), count("lost", attributes=TESTED), None),
        (rule(BY_BAD, "tenant=test and reason=low"), count("lost", reason="low", attributes=TESTED), EXCLUDED),
        (rule(BY_BAD, "tenant=test or reason=low"), count("lost", attributes=TESTED), None),
        (rule(BY_BAD, "tenant=test or reason=low"), count("lost", reason="low"), EXCLUDED),
        (rule(BY_BAD), count("lost", overrule=Overrule.EXCLUDED), EXCLUDED),
        (rule(BY_BOTH), count("won", overrule=Overrule.BAD), BAD),
        (rule(BY_BOTH, "reason=low"), count("lost", reason="low", overrule=Overrule.BAD), BAD),
        (rule(BY_BOTH), count("lost", outcome=Outcome.SUCCESS), BAD),
    ],
)
def test_verdicts(of: CountedRule, key: CellKey, expected: Fixed | None) -> None:
    """By name; an exclusion that tells how it ended leaves by the part, another by the total."""
    assert ruling(of, key, CALLS) == expected


def test_test_traffic_leaves_by_the_total() -> None:
    """Both events of test traffic carry the mark, so it is taken out once: by the total's event."""
    probe = parse_predicate("probe=true")
    marked = (("probe", "true"),)
    assert ruling(rule(BY_BAD), count("all", attributes=marked), CALLS, probe) == LEFT_OUT
    assert ruling(rule(BY_BAD), count("lost", attributes=marked), CALLS, probe) is None
    assert ruling(rule(BY_BOTH), count("lost", attributes=marked), CALLS, probe) == EXCLUDED


def test_an_event_sli_counts_without_a_verdict() -> None:
    """`event:` has neither good nor bad; other forms without a rule count nothing yet."""
    assert ruling(NoRule(Form.EVENT), count("won"), CALLS) == TOTAL
    assert ruling(NoRule(Form.DELAY), count("won"), CALLS) is None
