"""The grammar of POLICY.md 2, text by text: what is read, and what a mistake is answered with."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from slo_otel.plan import (
    AttributeTest,
    Clause,
    Cmp,
    HttpTerm,
    LatencyObjective,
    Match,
    NameTerm,
    Outcome,
    OutcomeTest,
    Percentile,
    Predicate,
    RatioObjective,
    RouteTerm,
    ShareObjective,
    StatusTest,
    Term,
    ValueState,
)
from slo_otel.policy._grammar import (
    GrammarError,
    parse_budgeting,
    parse_condition,
    parse_match,
    parse_objective,
    parse_panel,
    parse_predicate,
    parse_window,
)
from slo_otel.units import HOUR_NS, MINUTE_NS, Dimension, Period, Rolling


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("http", (HttpTerm(),)),
        ("wallet.transfer", (NameTerm("wallet.transfer"),)),
        ("/", (RouteTerm(None, ()),)),
        ("GET /", (RouteTerm("GET", ()),)),
        ("POST /orders/{id}/items", (RouteTerm("POST", ("orders", "*", "items")),)),
        ("/orders/*", (RouteTerm(None, ("orders", "*")),)),
        ("/api/v1/leads/**", (RouteTerm(None, ("api", "v1", "leads", "**")),)),
        ("/items/", (RouteTerm(None, ("items", "")),)),
        ("POST /a | webhook|http", (RouteTerm("POST", ("a",)), NameTerm("webhook"), HttpTerm())),
    ],
)
def test_match_texts(text: str, terms: tuple[Term, ...]) -> None:
    """A match is the word http, a route or a name; `{x}` is one segment like `*`."""
    assert parse_match(text) == Match(terms)


def test_predicate_clauses_join_outcomes_and_attributes() -> None:
    """`if` binds attributes to one outcome, `and` joins them, `or` separates clauses."""
    found = parse_predicate("4xx if reason=a|b and plan!=free or error or tenant='no one'")
    assert found == Predicate(
        (
            Clause(
                StatusTest(400, 499),
                (AttributeTest("reason", ("a", "b")), AttributeTest("plan", ("free",), negated=True)),
            ),
            Clause(OutcomeTest(Outcome.ERROR)),
            Clause(None, (AttributeTest("tenant", ("no one",)),)),
        )
    )


def test_an_attribute_may_bear_the_name_of_an_outcome() -> None:
    """`error=x` is an attribute, since a comparison follows the word."""
    assert parse_predicate("error=x") == Predicate((Clause(None, (AttributeTest("error", ("x",)),)),))


def test_a_percentile_and_a_percentage_are_exact() -> None:
    """p95 is 95/100 and 99.95% is 1999/2000, without a float in between."""
    assert parse_objective("p95 < 400ms") == LatencyObjective(Fraction(95, 100), 400_000_000)
    assert parse_objective("p99.9<=1.5s") == LatencyObjective(Fraction(999, 1000), 1_500_000_000)
    assert parse_objective("99.95%") == RatioObjective(Fraction(1999, 2000))


def test_less_and_at_most_are_the_same_for_durations() -> None:
    """`<` and `<=` both include equality (POLICY.md 2)."""
    assert parse_objective("p95 < 400ms") == parse_objective("p95 <= 400ms")


def test_a_share_of_a_state() -> None:
    """`99% of value < 500MB` carries the state and its dimension."""
    found = parse_objective("99% of value < 500MB")
    assert isinstance(found, ShareObjective)
    assert isinstance(found.state, ValueState)
    assert (found.state.limit.value, found.state.limit.dimension) == (Fraction(5 * 10**8), Dimension.BYTES)


def test_windows_roll_or_follow_the_calendar() -> None:
    """A duration rolls, with or without the word; a period's name is a calendar window."""
    assert parse_window("30d") == parse_window("30d rolling") == Rolling(30 * 24 * HOUR_NS)
    assert parse_window("quarter") is Period.QUARTER


def test_over_and_for_are_told_apart() -> None:
    """`over` is the window of the value, `for` how long it stays true."""
    found = parse_condition("p95 > 1500ms over 1h for 10m")
    assert found == Percentile(Fraction(95, 100), Cmp.GT, 1_500_000_000, HOUR_NS, 10 * MINUTE_NS)


Mistake = tuple[Callable[[str], object], str, int, str]
MISTAKES: list[Mistake] = [
    (parse_match, "", 0, "a name has"),
    (parse_match, "psot /a", 0, "'POST'"),
    (parse_match, "post /a", 0, "'POST'"),
    (parse_match, "POST checkout", 0, "begins with '/'"),
    (parse_match, "/a | GET|POST /b", 5, "begins with '/'"),
    (parse_match, "BREW /a", 0, "GET"),
    (parse_match, "GET /a//b", 7, "one '/'"),
    (parse_match, "GET /a/**/b", 7, "end the path with '**'"),
    (parse_match, "GET /a/v{x}", 7, "'*' or '{name}'"),
    (parse_match, "GET /a/{x:path}", 7, "end the path with '**'"),
    (parse_match, "GET /a/{}", 7, "'*' or '{name}'"),
    (parse_match, "a b", 2, "' | '"),
    (parse_match, "a |", 3, "a name has"),
    (parse_match, "a, b", 1, "' | '"),
    (parse_predicate, "", 0, "a name has"),
    (parse_predicate, "5xy", 0, "'5xx'"),
    (parse_predicate, "exeption", 0, "'exception'"),
    (parse_predicate, "2xx or", 6, "a name has"),
    (parse_predicate, "2xx and 3xx", 4, "' or '"),
    (parse_predicate, "4xx if", 6, "name=value"),
    (parse_predicate, "4xx if reason", 7, "name=value"),
    (parse_predicate, "reason = x", 0, "without spaces"),
    (parse_predicate, "reason=", 7, "in quotes"),
    (parse_predicate, "reason=a|", 9, "in quotes"),
    (parse_predicate, "reason='a", 7, "in quotes"),
    (parse_predicate, "a=b=c", 3, "' or '"),
    (parse_predicate, "4xx reason=x", 4, "' if '"),
    (parse_objective, "", 0, "p95 < 400ms"),
    (parse_objective, "0%", 0, "more than 0%"),
    (parse_objective, "100.01%", 0, "at most 100%"),
    (parse_objective, "99.5", 0, "99.5%"),
    (parse_objective, "p0 < 1s", 0, "p95"),
    (parse_objective, "p100 < 1s", 0, "p95"),
    (parse_objective, "p95 > 1s", 4, "'<'"),
    (parse_objective, "p95 < 400", 6, "400s"),
    (parse_objective, "p95 < 0ms", 6, "above zero"),
    (parse_objective, "p95 400ms", 4, "'<'"),
    (parse_objective, "valu < 10", 0, "'value'"),
    (parse_objective, "value = 10", 6, "> >= < <="),
    (parse_objective, "value < 10 USD", 11, "value < 10"),
    (parse_objective, "value < 10XB", 8, "units are"),
    (parse_objective, "99% of 10", 7, "value"),
    (parse_objective, "mean 30m", 5, "'<'"),
    (parse_objective, "9" * 5000 + "%", 0, "percentage"),
    (parse_budgeting, "timeslice 1m at 95%", 0, "'timeslices'"),
    (parse_budgeting, "timeslices 1m", 13, "'at'"),
    (parse_budgeting, "timeslices 1m at 0%", 17, "more than 0%"),
    (parse_budgeting, "occurrences 1m", 12, "occurrences"),
    (parse_window, "mnth", 0, "'month'"),
    (parse_window, "30", 0, "30d"),
    (parse_window, "30 days", 0, "30d"),
    (parse_window, "0d", 0, "above zero"),
    (parse_window, "30d calendar", 4, "month"),
    (parse_condition, "failres > 1 in 5m", 0, "'failures'"),
    (parse_condition, "failures > 1.5 in 5m", 11, "digits"),
    (parse_condition, "failures > 10", 13, "'in'"),
    (parse_condition, "failures = 10 in 5m", 9, "> >= < <="),
    (parse_condition, "failures >> 10 in 5m", 9, "> >= < <="),
    (parse_condition, "error_rate > 5", 13, "5%"),
    (parse_condition, "error_rate > 5%", 15, "over 10m"),
    (parse_condition, "error_rate > 101% over 1m", 13, "at most 100%"),
    (parse_condition, "p95 > 2x over 15m", 9, "'baseline'"),
    (parse_condition, "p101 > 2s over 15m", 0, "p95"),
    (parse_condition, "p95 > 750ms for 15", 16, "15m"),
    (parse_condition, "p95 > 750ms for 5m over 1h", 19, "'over'"),
    (parse_condition, "burn > 2", 7, "2x"),
    (parse_condition, "burn > 0x", 7, "above zero"),
    (parse_condition, "burn > 2x over 1d", 17, "'and'"),
    (parse_condition, "burn > 2x over 2h and 1d", 22, "longer window first"),
    (parse_condition, "burns 25% in 1d", 10, "'of budget in'"),
    (parse_condition, "budget spent > 50%", 7, "consumed"),
    (parse_condition, "value rising", 12, "'for'"),
    (parse_condition, "no data", 7, "'for'"),
    (parse_condition, "down", 4, "'for'"),
    (parse_condition, "missed for 5m", 7, "ends here"),
    (parse_condition, "outage in all", 13, "a name has"),
    (parse_panel, "stats of all", 0, "'status'"),
    (parse_panel, "status of everything", 10, "'tier'"),
    (parse_panel, "status of tier", 14, "a name has"),
    (parse_panel, "rate of", 7, "a name has"),
    (parse_panel, "budget over 24", 12, "24h"),
]


@pytest.mark.parametrize(("parse", "text", "offset", "fix"), MISTAKES)
def test_mistakes_have_a_place_and_a_fix(parse: Callable[[str], object], text: str, offset: int, fix: str) -> None:
    """A text outside the grammar is refused at the character that is wrong, with what to write instead."""
    with pytest.raises(GrammarError) as raised:
        parse(text)
    assert raised.value.offset == offset
    assert fix in raised.value.fix
