"""From a policy to the plan: what is not said by the five documents."""

from __future__ import annotations

from fractions import Fraction

import pytest

from slo_otel.plan import (
    AnyEvent,
    Burn,
    CellKey,
    Events,
    HttpTerm,
    Kind,
    LatencyRule,
    Match,
    NameTerm,
    NoRule,
    RatioRule,
    resolve,
)
from slo_otel.policy._alert_sets import alert_sets, default_legs
from slo_otel.policy._grammar import parse_predicate, parse_window
from slo_otel.units import HOUR_NS, MINUTE_NS, SECOND_NS, Dimension, format_duration
from tests.policy.documents import compiled, durations, named, one, sli


def test_defaults() -> None:
    """Nothing but a match: 30 days, 20 events, one failure, by occurrences, no dimension."""
    slo = one("slos:\n  - {name: s, sli: {success: http}, objective: 99%}")
    assert (str(slo.window), slo.min_events, slo.min_failures) == ("30d", 20, 1)
    assert (slo.indicator.dims, slo.unsupported, slo.evaluate) == ((), (), "live")
    assert slo.target == Fraction(99, 100)


def test_file_level_values_arrive() -> None:
    """Service, step, time zone and labels are the plan's."""
    found = compiled(
        "namespace: eu\nstep: 5s\ntimezone: Europe/Warsaw\nlabels: {team: pay}\n"
        "slos:\n  - {name: s, sli: {success: http}}"
    )
    assert (found.service, found.namespace, found.timezone) == ("shop", "eu", "Europe/Warsaw")
    assert (found.step_ns, found.labels) == (5 * SECOND_NS, (("team", "pay"),))


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("success: http", "10s"),
        ("success: http, cancelled: bad after 3s", "3s"),
        ("latency: http", "10s"),
        ("latency: http, cancelled: bad after 3s", "3s"),
    ],
)
def test_patience_with_a_client_without_an_objective(text: str, after: str) -> None:
    """Ten seconds unless the policy says how long."""
    rule = sli(text).rule
    assert isinstance(rule, RatioRule | LatencyRule)
    assert format_duration(rule.cancelled_after_ns) == after


def test_patience_follows_the_largest_latency_threshold_of_the_same_match() -> None:
    """Across entries and variants, whatever the order of terms; another match does not count, alerts neither."""
    found = compiled("""
slos:
  - {name: s, sli: {errors: [/a, /b]}}
  - {name: l, sli: {latency: [/b, /a]}, objective: [p50 < 1s, p95 < 4s], alerts: {page: p95 > 9s over 5m}}
  - {name: m, sli: {latency: [/a, /b]}, each: {x: {where: {tenant: 7}, objective: p99 < 6s}}}
  - {name: n, sli: {latency: /a}, objective: p95 < 30s}
""")
    waited = {
        slo.name: format_duration(slo.indicator.rule.cancelled_after_ns)
        for slo in found.slos
        if isinstance(slo.indicator.rule, RatioRule | LatencyRule)
    }
    assert waited == {"s": "6s", "l-p50": "4s", "l-p95": "4s", "m-x": "6s", "n": "30s"}
    assert durations(named(found, "l-p50").indicator.thresholds) == "1s 4s 9s"


def test_only_until_and_websocket() -> None:
    """The keys of a latency SLI become its rule."""
    rule = sli("latency: http, only: success, until: first_byte").rule
    assert isinstance(rule, LatencyRule)
    assert (rule.only, rule.until_first_byte) == (parse_predicate("success"), True)
    assert sli("latency: /ws, websocket: true").websocket
    plain = sli("latency: http").rule
    assert isinstance(plain, LatencyRule)
    assert (plain.only, plain.until_first_byte) == (None, None)


def test_names_and_attributes_are_mapped_everywhere() -> None:
    """Matches, categories, counted names, conditions, predicates, filters and dimensions speak our words."""
    found = compiled("""
names: {requests: http, old.spend: spend, old.alarm: alarm}
attributes: {endpoint: route, why: reason, customer: tenant}
categories: {all: {match: requests, except: old.spend}}
synthetic: customer=test
slos:
  - {name: a, sli: {errors: requests, bad: why=lost, exclude: customer!=7}, per: [endpoint, route], keep: customer}
  - {name: b, sli: {good: old.spend, total: tried}, where: {customer: 7}}
  - {name: c, sli: {event: old.alarm}, alerts: {page: [any old.alarm, events old.spend > 1 in 1h]}}
""")
    first = named(found, "a").indicator
    assert first.selection.match == Match((HttpTerm(),))
    assert (first.per, first.keep) == (("route",), ("tenant",))
    assert isinstance(first.rule, RatioRule)
    assert first.rule.predicate == parse_predicate("reason=lost")
    assert first.rule.exclude == parse_predicate("tenant!=7")
    second = named(found, "b").indicator
    assert second.selection.match == Match((NameTerm("spend"), NameTerm("tried")))
    assert second.selection.where.tests == (("tenant", ("7",)),)
    conditions = [alert.condition for alert in named(found, "c").alerts]
    assert [each.name for each in conditions if isinstance(each, AnyEvent | Events)] == ["alarm", "spend"]
    assert found.categories[0].match == Match((HttpTerm(),), (NameTerm("spend"),))
    assert found.synthetic == parse_predicate("tenant=test")
    assert found.attributes == {"tenant"}
    assert found.reasons == {"lost"}


def test_categories_stand_after_those_they_name() -> None:
    """So that `except` sees them, in whatever order the file has them; a circle does not hang."""
    found = compiled("""
categories: {api: {match: http, except: health}, health: GET /health, a: b, b: a}
slos: [{name: s, sli: {success: api}}]
""")
    assert [category.name for category in found.categories] == ["health", "api", "b", "a"]
    request = CellKey(Kind.HTTP, method="GET", route="/health")
    assert resolve(found, request).names == ("health",)
    assert resolve(found, request._replace(route="/x")).names == ("api",)


def test_users_and_keys_never_become_series() -> None:
    """`users:` names an attribute that is counted, not one that a series carries."""
    found = compiled("slos: [{name: s, sli: {success: http, users: user_id}}]")
    assert (found.attributes, found.slos[0].indicator.users) == (frozenset(), "user_id")


def test_built_in_dimensions_need_no_declaration() -> None:
    """What every event has is not among the attributes that code sets."""
    text = (
        "slos: [{name: s, sli: {success: http}, per: [region, service_version], where: {status: 200, plan: free}}]"
    )
    assert compiled(text).attributes == {"plan"}


@pytest.mark.parametrize(
    ("window", "legs"),
    [
        ("1h", []),
        ("23h", []),
        ("1d", ["6 1h 5m", "2 6h 30m"]),
        ("day", ["6 1h 5m", "2 6h 30m"]),
        ("6d", ["6 1h 5m", "2 6h 30m"]),
        ("7d", ["16.8 1h 5m", "5.6 6h 30m", "2.8 1d 2h"]),
        ("week", ["16.8 1h 5m", "5.6 6h 30m", "2.8 1d 2h"]),
        ("20d", ["16.8 1h 5m", "5.6 6h 30m", "2.8 1d 2h"]),
        ("21d", ["14.4 1h 5m", "6 6h 30m", "3 1d 2h", "1 3d 6h"]),
        ("30d", ["14.4 1h 5m", "6 6h 30m", "3 1d 2h", "1 3d 6h"]),
        ("month", ["14.4 1h 5m", "6 6h 30m", "3 1d 2h", "1 3d 6h"]),
        ("60d", ["21.6 1h 5m", "10.8 6h 30m", "4.5 1d 2h"]),
        ("quarter", ["21.6 1h 5m", "10.8 6h 30m", "4.5 1d 2h"]),
        ("year", ["21.6 1h 5m", "10.8 6h 30m", "4.5 1d 2h"]),
    ],
)
def test_default_burn_alerts_by_window(window: str, legs: list[str]) -> None:
    """The table of POLICY.md 7, as the data files have it."""
    found = [leg.condition for leg in default_legs(parse_window(window))]
    assert [_leg(condition) for condition in found] == legs


def _leg(condition: Burn) -> str:
    long_ns, short_ns = condition.long_ns or 0, condition.short_ns or 0
    return f"{float(condition.factor):g} {format_duration(long_ns)} {format_duration(short_ns)}"


def test_default_sets_cover_every_window_once() -> None:
    """From a day on there is exactly one set; short windows are a twelfth of the long ones, within a factor."""
    sets = alert_sets()
    assert [each.below_ns for each in sets[:-1]] == [each.from_ns for each in sets[1:]]
    assert (sets[0].from_ns, sets[-1].below_ns) == (24 * HOUR_NS, None)
    for leg in (leg for each in sets for leg in each.legs):
        assert leg.condition.long_ns is not None
        assert leg.condition.short_ns == leg.condition.long_ns // 12


@pytest.mark.parametrize(
    ("objective", "factors"),
    [
        ("99%", [14.4, 6.0, 3.0, 1.0]),
        ("93.1%", [14.4, 6.0, 3.0, 1.0]),
        ("93%", [6.0, 3.0, 1.0]),
        ("90%", [6.0, 3.0, 1.0]),
        ("80%", [3.0, 1.0]),
        ("50%", [1.0]),
        ("100%", [14.4, 6.0, 3.0, 1.0]),
    ],
)
def test_legs_that_can_never_fire_are_dropped(objective: str, factors: list[float]) -> None:
    """A leg with F·e of 1 and more needs an error ratio above 100 %: 14.4 needs a target above 93.06 %."""
    slo = one(f"slos: [{{name: s, sli: {{success: http}}, objective: {objective}}}]")
    found = [alert.condition for alert in slo.alerts]
    assert [float(condition.factor) for condition in found if isinstance(condition, Burn)] == factors


def test_a_leg_at_exactly_one_is_dropped() -> None:
    """3 · (1/3) has no exact percentage, 10 · 10 % has: at F·e = 1 nothing can exceed it."""
    slo = one("slos: [{name: s, sli: {success: http}, objective: 75%, window: 7d}]")
    assert [float(a.condition.factor) for a in slo.alerts if isinstance(a.condition, Burn)] == [2.8]


def test_default_severities_can_be_named() -> None:
    """`default(page=P1, ticket=P3)` gives the legs the severities of the file."""
    slo = one("""
severities: {P1: {notify: log}, P3: {notify: log}}
defaults: {budget_alerts: "default(page=P1, ticket=P3)", runbook: RUN.md}
slos: [{name: s, sli: {success: http}, objective: 99%}]
""")
    assert [(alert.severity, alert.runbook, alert.on_budget) for alert in slo.alerts] == [
        ("P1", "RUN.md", True),
        ("P1", "RUN.md", True),
        ("P3", "RUN.md", True),
        ("P3", "RUN.md", True),
    ]


def test_budget_alerts_none_and_no_objective() -> None:
    """`none` means none, and without a budget there is nothing to alert on."""
    found = compiled("""
slos:
  - {name: a, sli: {success: http}, objective: 99%, budget_alerts: none}
  - {name: b, sli: {success: http}}
""")
    assert [slo.alerts for slo in found.slos] == [(), ()]


def test_an_alert_keeps_what_is_written() -> None:
    """Name, gate, channels, message and runbook of an alert are the plan's."""
    slo = one("""
channels: {chat: {type: log}}
slos:
  - name: s
    sli: {success: http}
    runbook: SLO.md
    alerts:
      page: {when: failures > 1 in 10m, name: many, min_events: 5, notify: chat, message: look, incident: true}
      ticket: error_rate > 1% over 10m
""")
    many, rate = slo.alerts
    assert (many.severity, many.name, many.min_events, many.notify) == ("page", "many", 5, ("chat",))
    assert (many.message, many.incident, many.on_budget, many.runbook) == ("look", True, False, "SLO.md")
    assert (rate.severity, rate.name, rate.incident) == ("ticket", None, None)


def test_quantities_keep_their_dimension() -> None:
    """A gauge's limit stays in bytes; the form is compiled, though not evaluated."""
    slo = one("slos: [{name: s, sli: {gauge: memory}, objective: value < 512MiB}]")
    assert getattr(slo.objective, "limit").dimension is Dimension.BYTES  # noqa: B009 - one of many objectives
    assert slo.indicator.rule == NoRule(slo.indicator.form)
    assert slo.unsupported == ("gauge: values are recorded, not yet judged",)


def test_a_step_divides_the_minute() -> None:
    """The step arrives in nanoseconds."""
    assert compiled("step: 30s\nslos: [{name: s, sli: {success: http}}]").step_ns * 2 == MINUTE_NS
