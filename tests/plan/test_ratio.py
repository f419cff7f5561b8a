"""`success` and `errors`: the verdict of every outcome (POLICY.md 5, DESIGN.md 3)."""

from __future__ import annotations

import pytest

from slo_otel.plan import (
    Category,
    CellKey,
    Kind,
    Match,
    NameTerm,
    Outcome,
    Overrule,
    RatioRule,
    Ruling,
    Selection,
    Where,
    fails,
    judge,
    names_through,
)
from slo_otel.policy._grammar import parse_match, parse_predicate
from tests.plan.builders import (
    ANY,
    BAD,
    EXCLUDED,
    GOOD,
    LEFT,
    count,
    errors,
    http,
    indicator,
    operation,
    plan_of,
    ruling,
    success,
)

CLIENT_LEFT = http(200, Outcome.CANCELLED)
SERVER_STOPPED = http(200, Outcome.CANCELLED, by_server=True)

CASES: list[tuple[RatioRule, CellKey, Ruling]] = [
    # the default of `success` is 2xx for requests and `success` for operations
    (success(), http(204), GOOD),
    (success(), http(199), BAD),
    (success(), http(200), GOOD),
    (success(), http(299), GOOD),
    (success(), http(300), BAD),
    (success(), http(302), BAD),
    (success(), http(404), BAD),
    (success(), http(500), BAD),
    (success(), operation(), GOOD),
    (success(), operation(Outcome.REJECTED), BAD),
    (success(), operation(Outcome.ERROR), BAD),
    (success(), count("work"), GOOD),
    # the default of `errors` is 5xx, exception, timeout for requests and `error` for operations
    (errors(), http(302), GOOD),
    (errors(), http(404), GOOD),
    (errors(), http(499), GOOD),
    (errors(), http(500), BAD),
    (errors(), http(503), BAD),
    (errors(), http(599), BAD),
    (errors(), http(600), GOOD),
    # an adapter may say otherwise; what answered is judged by its number
    (errors(), http(200, Outcome.ERROR), GOOD),
    (errors(), http(503, Outcome.SUCCESS), BAD),
    (errors(), http(200, Outcome.EXCEPTION), BAD),
    (errors(), http(None, Outcome.TIMEOUT), BAD),
    (errors(), operation(Outcome.REJECTED), GOOD),
    (errors(), operation(Outcome.ERROR), BAD),
    (errors(), operation(Outcome.EXCEPTION), BAD),
    (errors(), operation(Outcome.TIMEOUT), BAD),
    # an exception after the response started is bad, although the status was 2xx
    (success("2xx"), http(200, Outcome.EXCEPTION), BAD),
    (success("2xx or error"), http(200, Outcome.EXCEPTION), BAD),
    (errors("5xx"), http(200, Outcome.EXCEPTION), BAD),
    # the policy's own words decide an answer
    (success("2xx or 3xx"), http(302), GOOD),
    (success("2xx or 503"), http(503), GOOD),
    (success("status=418"), http(418), GOOD),
    (errors("exception"), http(500), GOOD),
    (errors("exception"), http(500, Outcome.EXCEPTION), BAD),
    (errors("503"), http(200, Outcome.EXCEPTION), GOOD),
    (errors("fallback=true"), operation(attributes=(("fallback", "true"),)), BAD),
    (errors("fallback=true"), operation(), GOOD),
    (errors("4xx"), operation(Outcome.REJECTED), BAD),
    # a timeout and a server's cancellation are bad under every predicate
    (errors("exception"), http(None, Outcome.TIMEOUT), BAD),
    (errors("fallback=true"), SERVER_STOPPED, BAD),
    (success("2xx or cancelled"), SERVER_STOPPED, BAD),
    (errors(), SERVER_STOPPED, BAD),
    (success(), SERVER_STOPPED, BAD),
    (success("2xx or timeout"), http(None, Outcome.TIMEOUT), BAD),
    # a client that left: by its time, unless the policy says `cancelled`
    (success(), CLIENT_LEFT, LEFT),
    (errors(), CLIENT_LEFT, LEFT),
    (success("2xx"), CLIENT_LEFT, LEFT),
    (success("2xx or cancelled"), CLIENT_LEFT, GOOD),
    (errors("5xx or cancelled"), CLIENT_LEFT, BAD),
    (errors("5xx or cancelled if plan=paid"), CLIENT_LEFT, LEFT),
    (success("success"), operation(Outcome.CANCELLED), LEFT),
    (success(exclude="cancelled"), CLIENT_LEFT, EXCLUDED),
    # exclusions come before good and bad
    (success(exclude="4xx if reason=bad_input"), http(422, reason="bad_input"), EXCLUDED),
    (success(exclude="4xx if reason=bad_input"), http(422), BAD),
    (success(exclude="4xx if reason=bad_input"), http(200, Outcome.EXCEPTION, reason="bad_input"), BAD),
    (success(exclude="exception if reason=x"), http(500, Outcome.EXCEPTION, reason="x"), EXCLUDED),
    (errors(exclude="2xx"), http(200), EXCLUDED),
    # code overrules an answer, and of what was never answered only by bad()
    (success(), http(404, overrule=Overrule.GOOD), GOOD),
    (success(), http(200, overrule=Overrule.BAD), BAD),
    (success(), http(500, overrule=Overrule.EXCLUDED), EXCLUDED),
    (success(exclude="2xx"), http(200, overrule=Overrule.BAD), BAD),
    (success(exclude="2xx"), http(200, overrule=Overrule.GOOD), GOOD),
    (success(), http(500, Outcome.EXCEPTION, overrule=Overrule.GOOD), BAD),
    (success(), http(500, Outcome.EXCEPTION, overrule=Overrule.EXCLUDED), BAD),
    (errors("503"), http(500, Outcome.EXCEPTION, overrule=Overrule.BAD), BAD),
    (errors(), http(None, Outcome.TIMEOUT, overrule=Overrule.GOOD), BAD),
    (success(), http(200, Outcome.CANCELLED, overrule=Overrule.GOOD), LEFT),
    (success(), http(200, Outcome.CANCELLED, overrule=Overrule.EXCLUDED), LEFT),
    (success(), http(200, Outcome.CANCELLED, overrule=Overrule.BAD), BAD),
    (errors(), operation(Outcome.ERROR, overrule=Overrule.GOOD), GOOD),
]


@pytest.mark.parametrize(("rule", "key", "expected"), CASES)
def test_verdicts(rule: RatioRule, key: CellKey, expected: Ruling) -> None:
    """Each outcome under each kind of rule has the verdict of POLICY.md 5."""
    assert ruling(rule, key) == expected


def test_events_outside_the_match_mean_nothing() -> None:
    """An event that is not selected has no verdict at all."""
    assert ruling(success(), operation(names=("other",))) is None


def test_test_traffic_is_excluded_whatever_it_did() -> None:
    """`synthetic` comes before everything, also before code's own word and an exception."""
    probe = parse_predicate("probe=true")
    marked = (("probe", "true"),)
    failed = http(500, Outcome.EXCEPTION, attributes=marked, overrule=Overrule.BAD)
    assert ruling(success(), failed, synthetic=probe) == EXCLUDED
    assert ruling(success(), http(500), synthetic=probe) == BAD


def test_all_events_of_a_synthetic_category_are_test_traffic() -> None:
    """`synthetic: true` on a category excludes what carries it."""
    smoke = Category("smoke", Match(()), synthetic=True)
    plan = plan_of(indicator(success()), categories=(smoke,))
    assert [found.ruling for found in judge(plan, http(500, names=("smoke",)))] == [EXCLUDED]
    assert [found.ruling for found in judge(plan, http(500, names=("other",)))] == [BAD]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (http(200, nested_bad=("one",)), BAD),
        (http(200, nested_bad=("other",)), GOOD),
        (http(200, nested_bad=("one",), overrule=Overrule.GOOD), GOOD),
        (http(404, nested_bad=("one",)), EXCLUDED),
        (http(200), GOOD),
    ],
)
def test_an_inner_failure_counts_for_the_indicators_it_names(key: CellKey, expected: Ruling) -> None:
    """An inner event's bad outcome is bad for each of them, after exclusions, and yields to `good()`."""
    assert ruling(errors(exclude="4xx"), key) == expected


@pytest.mark.parametrize(
    ("rule", "key", "expected"),
    [
        (success(), operation(Outcome.EXCEPTION, reason="quota"), True),
        (success(exclude="error if reason=quota"), operation(Outcome.EXCEPTION, reason="quota"), False),
        (errors(exclude="error if reason=quota"), operation(Outcome.EXCEPTION), True),
        (success(), operation(), False),
        (success(), operation(nested_bad=("one",)), True),
        (success(), operation(Outcome.CANCELLED), False),
        (success(), operation(Outcome.CANCELLED, by_server=True), True),
    ],
)
def test_an_inner_event_fails_by_the_rule_of_each_indicator(rule: RatioRule, key: CellKey, expected: bool) -> None:
    """What one indicator excludes is bad for another; its `where` may select the outer event alone."""
    one = indicator(rule, Selection(parse_match("work"), Where((("tenant", ("acme",)),))))
    assert fails(plan_of(one), one, key) is expected


def test_an_indicator_reaches_an_event_through_its_match_and_its_where() -> None:
    """Through a name of the match, and through `where: {category: …}`; not through `http`."""
    key = http(200, names=("auth", "wallet"))
    for selection, names in (
        (Selection(Match((NameTerm("wallet"),))), {"wallet"}),
        (Selection(parse_match("http"), Where((("category", ("auth", "other")),))), {"auth"}),
        (ANY, set()),
    ):
        assert names_through(selection, key) == names


@pytest.mark.parametrize(
    ("outcome", "status", "expected"),
    [(Outcome.SUCCESS, 1000, GOOD), (Outcome.ERROR, 1011, BAD), (Outcome.REJECTED, 1008, BAD)],
)
def test_websockets_are_asked_for(outcome: Outcome, status: int, expected: Ruling) -> None:
    """A connection is no event of an SLO that does not say so, and is judged as what it is by one that does."""
    connection = CellKey(Kind.WEBSOCKET, method="GET", route="/ws", status=status, outcome=outcome)
    selection = Selection(parse_match("/ws"))
    assert judge(plan_of(indicator(success(), selection)), connection) == ()
    asked = plan_of(indicator(success(), selection, websocket=True))
    assert [found.ruling for found in judge(asked, connection)] == [expected]
