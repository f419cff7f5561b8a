"""The five documents, compiled: numbers worked out by hand from the files."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from slo_otel.plan import (
    SLO,
    BudgetShare,
    Burn,
    CountedRule,
    ErrorRate,
    Exhausts,
    Form,
    HttpTerm,
    LatencyObjective,
    LatencyRule,
    Match,
    NameTerm,
    Outage,
    Percentile,
    RatioObjective,
    RatioRule,
    RouteTerm,
    SliBelow,
    Tallying,
    Where,
)
from slo_otel.policy._grammar import parse_predicate
from slo_otel.units import DAY_NS, SECOND_NS, Period, Rolling
from tests.policy.documents import DOCUMENTS, durations, named, plan


@pytest.mark.parametrize(
    ("document", "slos", "indicators", "evaluated"),
    [
        ("agentmesh-cloud", 12, 12, 5),
        ("avalo", 37, 37, 27),
        ("dealix-v1", 32, 22, 21),
        ("dealix", 13, 13, 4),
        ("nexus", 7, 7, 4),
    ],
)
def test_every_entry_variant_and_objective_is_an_slo(
    document: str, slos: int, indicators: int, evaluated: int
) -> None:
    """Variants and list objectives are counted; probes, gauges and the like are `unsupported`."""
    found = plan(document)
    assert (len(found.slos), len(found.indicators)) == (slos, indicators)
    assert sum(not slo.unsupported for slo in found.slos) == evaluated
    assert max(Counter(slo.name for slo in found.slos).values()) == 1


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_policy_compiles_to_the_same_plan_each_time(document: str) -> None:
    """Two plans of one policy compare equal, so `configure` may be called twice with it."""
    plan.cache_clear()
    first = plan(document)
    plan.cache_clear()
    assert plan(document) == first


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_two_indicators_share_a_fingerprint(document: str) -> None:
    """Each SLI of a file has a history of its own."""
    prints = [indicator.fingerprint for indicator in plan(document).indicators]
    assert len(set(prints)) == len(prints)


def kinds(slo: SLO) -> list[tuple[str, str]]:
    return [(alert.severity, type(alert.condition).__name__) for alert in slo.alerts]


# ---- Avalo ------------------------------------------------------------------------------------------------------


def test_avalo_names_are_mapped_to_ours() -> None:
    """The document's metric is every request, filtered by its categories and split by region."""
    core = named(plan("avalo"), "core-api").indicator
    assert core.selection.match == Match((HttpTerm(),))
    features = ("auth", "wallet", "chat_send", "call_initiation", "support_ticket")
    assert core.selection.where == Where((("category", features),))
    assert (core.form, core.per, core.keep) == (Form.ERRORS, ("region",), ())
    realtime = named(plan("avalo"), "realtime").indicator
    terms = tuple(map(NameTerm, ("call_signaling", "chat_delivery", "live_event_join")))
    assert realtime.selection.match == Match(terms)


def test_avalo_core_api() -> None:
    """99.9 % over 30 days, with the alerts of defaults, tier, itself and the budget, in this order."""
    slo = named(plan("avalo"), "core-api")
    assert (slo.objective, slo.window) == (RatioObjective(Fraction(999, 1000)), Rolling(30 * DAY_NS))
    assert (slo.budget_ratio, slo.tier, slo.min_events, slo.min_failures) == (Fraction(1, 1000), "core", 20, 1)
    assert [alert.on_budget for alert in slo.alerts] == [False] * 5 + [True] * 6
    assert kinds(slo) == [
        ("P0", "Outage"),
        ("P1", "Outage"),
        ("P0", "SliBelow"),
        ("P1", "SliBelow"),
        ("P1", "SliBelow"),
        ("P0", "BudgetShare"),
        ("P1", "BudgetShare"),
        ("P1", "BudgetShare"),
        ("P2", "BudgetShare"),
        ("P2", "Exhausts"),
        ("P2", "Burn"),
    ]
    assert slo.alerts[0].condition == Outage(None, "region")
    assert [alert.condition for alert in slo.alerts if isinstance(alert.condition, SliBelow)][2].ratio is None


def test_avalo_api_latency_stands_for_what_no_variant_matched() -> None:
    """Four variants with their own thresholds, and the rest; the endpoint of the document is the route."""
    names = ("auth", "wallet-balance", "chat-send", "profile-load")
    found = [named(plan("avalo"), f"api-latency-{name}") for name in names]
    assert [durations(slo.indicator.thresholds) for slo in found] == [
        "300ms 750ms 1500ms",
        "200ms 750ms 1500ms",
        "400ms 750ms 1500ms",
        "500ms 750ms 1500ms",
    ]
    rest = named(plan("avalo"), "api-latency")
    assert rest.indicator.per == ("region", "route")
    assert rest.indicator.selection.where == Where()
    categories = ("auth", "wallet_balance", "chat_send", "profile_load")
    assert rest.indicator.selection.unless == tuple(Where((("category", (name,)),)) for name in categories)
    assert [slo.indicator.selection.unless for slo in found] == [()] * 4
    assert len(rest.alerts) == 10


def test_avalo_windows_of_an_hour_have_no_budget_alerts() -> None:
    """Of the inherited alerts only the one that fits latency and a short window remains."""
    assert kinds(named(plan("avalo"), "money-flows")) == [
        ("P2", "OffTarget"),
        ("P0", "Percentile"),
        ("P1", "Percentile"),
    ]


def test_avalo_a_day_is_too_short_to_look_a_day_ahead() -> None:
    """`budget exhausts within 24h` is skipped for a window of 24 hours; the other budget alerts stay."""
    call = named(plan("avalo"), "call-connection")
    conditions = [type(alert.condition) for alert in call.alerts if alert.on_budget]
    assert conditions.count(BudgetShare) == 4
    assert conditions.count(Burn) == 1
    assert conditions.count(Exhausts) == 0


def test_avalo_cancelled_requests_wait_as_long_as_the_latency_of_the_same_match() -> None:
    """The success beside a latency takes its threshold; requests take the longest of all latencies of requests."""
    waited = {
        name: rule.cancelled_after_ns
        for name in ("money-flow-success", "core-api", "ai-model-errors")
        if isinstance(rule := named(plan("avalo"), name).indicator.rule, RatioRule)
    }
    assert waited == {"money-flow-success": 400_000_000, "core-api": 500_000_000, "ai-model-errors": 3 * SECOND_NS}


def test_avalo_counted_outcomes() -> None:
    """Wallet spends by good and bad, calls by total and bad, with the exclusions of the document."""
    wallet, call = (named(plan("avalo"), name).indicator.rule for name in ("wallet-spend", "call-connection"))
    either = parse_predicate("reason=insufficient_balance or reason=validation_error")
    assert wallet == CountedRule(
        Tallying.GOOD_BAD, "product.wallet.spend.success", "product.wallet.spend.failed", None, either
    )
    assert isinstance(call, CountedRule)
    assert (call.tallying, call.total) == (Tallying.BAD_TOTAL, "product.call.started.count")


def test_avalo_vocabulary() -> None:
    """Attributes that become series are those that a filter or a dimension names; users never do."""
    found = plan("avalo")
    assert found.attributes == {"collection", "severity"}
    assert found.reasons == {"insufficient_balance", "validation_error", "user_cancelled"}
    assert named(found, "core-feature-auth").indicator.users == "user_id"
    assert found.attribute_names["endpoint"] == "route"
    assert found.event_names["infra.http.request.count"] == "http"


def test_avalo_zero_budgets_have_no_budget_alerts_where_it_says_none() -> None:
    """100 %: the first miss is all of the budget, one alert, and one event is enough."""
    slo = named(plan("avalo"), "safety-review-p0")
    assert slo.budget_ratio == 0
    assert (slo.min_events, kinds(slo)) == (1, [("P0", "Missed")])


# ---- Dealix -----------------------------------------------------------------------------------------------------


def test_dealix_v1_three_percentiles_share_one_histogram() -> None:
    """A list of objectives makes SLOs of one indicator, named by percentile."""
    names = [f"latency-lead-p{share}" for share in (50, 95, 99)]
    found = [named(plan("dealix-v1"), name) for name in names]
    assert {slo.indicator.fingerprint for slo in found} == {found[0].indicator.fingerprint}
    assert durations(found[0].indicator.thresholds) == "200ms 500ms 2s"
    assert [slo.objective for slo in found] == [
        LatencyObjective(Fraction(share, 100), under)
        for share, under in ((50, 2 * 10**8), (95, 5 * 10**8), (99, 2 * 10**9))
    ]
    assert [slo.measure.threshold_ns for slo in found] == [2 * 10**8, 5 * 10**8, 2 * 10**9]
    assert {slo.entry for slo in found} == {"latency"}
    assert isinstance(rule := found[0].indicator.rule, LatencyRule)
    assert rule.cancelled_after_ns == 2 * SECOND_NS


def test_dealix_v1_conditions_that_read_the_objective_stand_on_each() -> None:
    """`off_target` belongs to every percentile, a plain `p95 > 500ms` to the SLO once."""
    assert [kinds(named(plan("dealix-v1"), f"latency-lead-p{p}")) for p in (50, 95, 99)] == [
        [("P3", "OffTarget")]
    ] * 3
    health = named(plan("dealix-v1"), "health-response")
    assert durations(health.indicator.thresholds) == "200ms 500ms"
    assert isinstance(health.alerts[0].condition, Percentile)


def test_dealix_v1_uptime_is_a_calendar_month() -> None:
    """The window follows the calendar; the first alert brings its own runbook, the second the default one."""
    uptime = named(plan("dealix-v1"), "uptime")
    assert uptime.window is Period.MONTH
    assert [alert.runbook for alert in uptime.alerts] == ["RUNBOOK.md#scenario-1", "RUNBOOK.md"]
    assert [alert.incident for alert in uptime.alerts] == [None, True]
    assert uptime.unsupported == ("probe: polls are not made yet",)


def test_dealix_v1_checks_inherit_no_alerts() -> None:
    """`evaluate: check` carries none of the alerts of `defaults`."""
    smoke = named(plan("dealix-v1"), "smoke-errors")
    assert (smoke.evaluate, smoke.alerts) == ("check", ())
    rule = smoke.indicator.rule
    assert isinstance(rule, RatioRule)
    assert rule.predicate == parse_predicate("2xx or 3xx")
    assert rule.cancelled_after_ns == 500_000_000


def test_dealix_v1_owner_and_categories() -> None:
    """The document's owner is every SLO's; routes become categories."""
    found = plan("dealix-v1")
    assert {slo.owner for slo in found.slos} == {"On-call <oncall@example.com>"}
    categories = {category.name: category.match for category in found.categories}
    assert categories["lead"] == Match((RouteTerm(None, ("api", "v1", "leads", "**")),))
    assert categories["ai_call"] == Match(())
    assert len(categories["smoke"].terms) == 4


def test_dealix_checkout() -> None:
    """98 % of checkouts are 2xx, without bad input, split by status but with one budget."""
    slo = named(plan("dealix"), "checkout-success")
    rule = RatioRule(
        Form.SUCCESS, parse_predicate("2xx"), parse_predicate("4xx if reason=bad_input"), 10 * SECOND_NS
    )
    assert slo.indicator.rule == rule
    assert (slo.indicator.per, slo.indicator.keep, slo.min_events) == ((), ("status",), 1)
    assert slo.budget_ratio == Fraction(1, 50)
    assert kinds(slo) == [("later", "Burns")]
    assert plan("dealix").attributes == {"fallback", "provider", "queue"}


def test_dealix_error_rate_beside_a_latency() -> None:
    """The webhook's errors wait as long as its latency promises; `min_events: 1` of the file is its gate."""
    slo = named(plan("dealix"), "moyasar-webhook")
    assert isinstance(slo.indicator.rule, RatioRule)
    assert slo.indicator.rule.cancelled_after_ns == 2 * SECOND_NS
    assert isinstance(slo.alerts[0].condition, ErrorRate)
    assert (slo.objective, slo.target) == (None, None)


# ---- AgentMesh, NEXUS -------------------------------------------------------------------------------------------


def test_agentmesh_environments_are_variants() -> None:
    """One latency SLI, two targets by environment, a day each."""
    found = [named(plan("agentmesh-cloud"), f"api-latency-{name}") for name in ("production", "preview")]
    assert [slo.indicator.selection.where.tests for slo in found] == [
        (("environment", ("production",)),),
        (("environment", ("preview",)),),
    ]
    assert [durations(slo.indicator.thresholds) for slo in found] == ["300ms", "400ms"]
    assert {slo.window for slo in found} == {Rolling(DAY_NS)}


def test_agentmesh_synthetic_traffic() -> None:
    """Load tests are recognised by an attribute, which is declared for it."""
    found = plan("agentmesh-cloud")
    assert found.synthetic == parse_predicate("load_test=true")
    assert found.attributes == {"journey", "load_test"}


def test_nexus_default_burn_alerts_of_28_days() -> None:
    """Without a word about them, an objective carries the four burn-rate alerts of 21 to 60 days."""
    slo = named(plan("nexus"), "login-availability")
    legs = [(alert.severity, alert.condition.factor) for alert in slo.alerts if isinstance(alert.condition, Burn)]
    assert legs == [
        ("page", Fraction(144, 10)),
        ("page", Fraction(6)),
        ("ticket", Fraction(3)),
        ("ticket", Fraction(1)),
    ]
    assert len(named(plan("nexus"), "exchange-completion").alerts) == 5
    assert plan("nexus").reasons == {"wrong_password"}
