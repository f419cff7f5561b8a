"""What cannot work is refused, at its place (POLICY.md 10)."""

from __future__ import annotations

import pytest

from tests.policy.shared import HEAD, only, problems, slo, sound

HTTP = "sli: {success: http, good: 2xx or 3xx}"
LATENCY = "sli: {latency: http}"
POLLERS = "pollers: {h: {type: http, url: u}, r: {type: redis, url: u}, u: {type: uptimerobot, key: k}}\n"


@pytest.mark.parametrize(
    ("body", "head", "code", "place"),
    [
        (f"{HTTP}\nalerts: {{pgae: any}}", "", "undeclared-severity", (6, 14)),
        (f"{HTTP}\nalerts: {{page: {{when: any, notify: [log, chat]}}}}", "", "undeclared-channel", (6, 46)),
        (f"{HTTP}\nwhere: {{category: [a, b]}}", "categories: {a: {}}\n", "undeclared-category", (7, 27)),
        (
            f"{HTTP}\neach: {{x: {{where: {{category: b}}}}}}",
            "categories: {a: {}}\n",
            "undeclared-category",
            (7, 34),
        ),
        ("sli: {gauge: x, from: {poller: q}}", POLLERS, "undeclared-poller", (6, 36)),
        (f"{HTTP}\ntier: 2", "tiers: {1: {}}\n", "undeclared-tier", (7, 11)),
        (HTTP, "budget_reset: [{slo: two, every: week}]\n", "undeclared-slo", (3, 22)),
        (HTTP, "maintenance: [{name: m, from: 02:00, to: 03:00, slos: two}]\n", "undeclared-slo", (3, 55)),
        (HTTP, "gates: {g: {items: [slo two is ok]}}\n", "undeclared-slo", (3, 21)),
        (HTTP, "dashboards: [{name: d, rows: {R: [status of tier 9]}}]\n", "undeclared-tier", (3, 35)),
        (HTTP, "severities: {page: {escalate: [{after: 5m, to: x}]}, ticket: {}}\n", "undeclared-channel", (3, 48)),
        (HTTP, "incidents: {classify_by_daily_budget: {P0: any}}\n", "undeclared-severity", (3, 40)),
        (f"{HTTP}\nbudget_alerts: default(page=P1)", "", "undeclared-severity", (6, 20)),
    ],
)
def test_an_undeclared_name_is_refused(body: str, head: str, code: str, place: tuple[int, int]) -> None:
    """Severities, channels, categories, pollers, tiers and SLOs must be declared, wherever they are named."""
    found = only(slo(body, head))
    assert (found.code, (found.line, found.column)) == (code, place)
    assert found.fix


def test_declared_names_are_not_refused() -> None:
    """An expanded SLO name, the built-in channel and the built-in severities need no declaration."""
    body = f"{LATENCY}\nobjective: [p95 < 1s, p99 < 2s]\nalerts: {{ticket: {{when: any, notify: log}}}}"
    sound(slo(body, "budget_reset: [{slo: one-p99, every: week}, {slo: one, every: month}]\n"))


def test_declared_severities_replace_the_built_in_ones_everywhere() -> None:
    """With own severities, the implied default burn-rate alerts need names; `default(…)` or `none` gives them."""
    head = "severities: {P1: {notify: log}, P2: {notify: log}}\n"
    found = only(slo(f"{HTTP}\nobjective: 99%", head))
    assert (found.code, found.line) == ("undeclared-severity", 3)
    sound(slo(f"{HTTP}\nobjective: 99%\nbudget_alerts: default(page=P1, ticket=P2)", head))
    sound(slo(f"{HTTP}\nobjective: 99%\nwindow: 1h", head))
    sound(slo(HTTP, head))


@pytest.mark.parametrize(
    "rest",
    [
        "  - {name: one, sli: {errors: http}}\n",
        "  - {name: one, sli: {errors: http}, each: {x: {where: {a: b}}}, objective: 99%}\n",
        "  - {name: on, sli: {errors: http}, each: {e: {where: {a: b}}}}\n  - {name: on-e, sli: {errors: http}}\n",
        "  - {name: a, sli: {latency: http}, objective: [p50 < 1s, p95 < 2s]}\n"
        "  - {name: a-p95, sli: {errors: http}}\n",
    ],
)
def test_two_slos_of_one_name_are_refused(rest: str) -> None:
    """Names are compared after variants and list objectives are expanded."""
    assert only(slo(HTTP) + rest).code == "duplicate-slo"


@pytest.mark.parametrize(
    ("sli", "objective"),
    [
        ("{event: x}", "99%"),
        ("{success: http}", "p95 < 1s"),
        ("{good: a, bad: b}", "value < 10"),
        ("{latency: http}", "99%"),
        ("{probe: GET /x}", "p95 < 1s"),
        ("{gauge: x}", "99%"),
        ("{gauge: x}", "age < 1h"),
        ("{gauge: x}", "99% of age < 1h"),
        ("{age: x}", "value < 1"),
        ("{age: x}", "99% of value < 1"),
        ("{sum: x}", "mean < 1m"),
        ("{delay: a -> b, under: 1m, key: id}", "p95 < 1s"),
        ("{deadline: a, within: 1m}", "max < 1m"),
        ("{duration: a}", "99%"),
        ("{promql: {bad: 'x[$w]', total: 'y[$w]'}}", "p99 < 1s"),
    ],
)
def test_an_objective_that_does_not_fit_is_refused(sli: str, objective: str) -> None:
    """Each form takes its own kinds of objectives (POLICY.md 6)."""
    found = only(slo(f"sli: {sli}\nobjective: {objective}"))
    assert (found.code, found.line, found.column) == ("objective-fit", 6, 16)


FITTING = {
    "{event: x}": ["events > 1 in 1h", "any", "no data for 1h"],
    "{success: http}": ["error_rate > 1% over 1h", "failures > 1 in 1h", "any", "excluded > 5% over 1h", "outage"],
    "{latency: http}": ["p95 > 1s over 5m", "p95 > 2x baseline over 1h", "outage", "error_rate > 1% over 1h"],
    "{delay: a -> b, under: 1m, key: id}": ["age > 1h", "p95 > 1s over 5m", "failures > 1 in 1h"],
    "{deadline: a, within: 1m}": ["missed", "age > 1h", "failures > 1 in 1h"],
    "{probe: GET /x}": ["down for 5m", "outage", "no data for 5m", "failures > 2 in 1h"],
    "{gauge: x}": ["value > 5", "value rising for 1h", "no data for 1h"],
    "{age: x}": ["age > 1h", "no data for 1h"],
    "{duration: x}": ["missed", "failures > 1 in 1h"],
}


@pytest.mark.parametrize("sli", FITTING)
def test_conditions_fit_by_the_table(sli: str) -> None:
    """The conditions of POLICY.md 7 that fit a form are taken."""
    for condition in FITTING[sli]:
        sound(slo(f"sli: {sli}\nalerts: {{page: '{condition}'}}"))


@pytest.mark.parametrize(
    ("sli", "condition"),
    [
        ("{event: x}", "error_rate > 1% over 1h"),
        ("{success: http}", "p95 > 1s over 5m"),
        ("{success: http}", "down for 5m"),
        ("{success: http}", "value > 1"),
        ("{success: http}", "missed"),
        ("{latency: http}", "age > 1h"),
        ("{probe: GET /x}", "any"),
        ("{probe: GET /x}", "p95 > 1s over 5m"),
        ("{gauge: x}", "age > 1h"),
        ("{age: x}", "value > 1"),
        ("{duration: x}", "any"),
        ("{promql: {bad: 'x[$w]', total: 'y[$w]'}}", "p95 > 1s over 5m"),
        ("{success: http}", "sli < objective"),
        ("{success: http}", "budget consumed >= 50%"),
        ("{success: http}", "burn > 2x"),
        ("{success: http}", "off_target for 1h"),
        ("{success: http}", "users_affected > 1% over 15m"),
    ],
)
def test_a_hand_written_condition_that_does_not_fit_is_refused(sli: str, condition: str) -> None:
    """Written at the SLO it is an error at the condition; inherited it is skipped."""
    found = only(slo(f"sli: {sli}\nalerts: {{page: '{condition}'}}"))
    assert (found.code, found.line) == ("condition-fit", 6)
    sound(slo(f"sli: {sli}", f"defaults: {{alerts: {{page: '{condition}'}}}}\n"))


def test_missed_is_refused_for_a_mean() -> None:
    """A mean has no single miss; a maximum has."""
    assert only(slo("sli: {duration: x}\nobjective: mean < 1m\nalerts: {page: missed}")).code == "condition-fit"
    sound(slo("sli: {duration: x}\nobjective: max < 1m\nalerts: {page: missed}"))


def test_in_all_needs_its_dimension_in_per() -> None:
    """`outage in all region` without `per: region` is refused when written, and skipped when inherited."""
    body = f"{HTTP}\nalerts: {{page: outage in all region}}"
    assert "add region to per" in str(only(slo(body)).fix)
    sound(slo(f"{body}\nper: region"))
    sound(slo(HTTP, "defaults: {alerts: {page: outage in all region}}\n"))


def test_an_slo_that_is_only_checked_has_no_alerts() -> None:
    """`evaluate: check` drops inherited alerts and refuses own ones."""
    assert only(slo(f"{HTTP}\nevaluate: check\nalerts: {{page: any}}")).code == "check-alerts"
    sound(slo(f"{HTTP}\nevaluate: check", "defaults: {alerts: {page: any}}\n"))


@pytest.mark.parametrize(
    ("window", "fix"),
    [
        ("40s", "45s"),
        ("25h", None),
        ("1d", None),
        ("90m", None),
        ("25.1h", "25h"),
        ("100d", None),
        ("400d", "366d"),
    ],
)
def test_a_window_is_a_multiple_of_its_grid(window: str, fix: str | None) -> None:
    """Of the step below a day, of 15 min from a day, of 1 h from 90 d; a year is the longest."""
    found = problems(slo(f"{HTTP}\nwindow: {window}"))
    assert [(one.code.split("-")[0], fix in str(one.fix)) for one in found if fix] == (
        [("window", True)] if fix else []
    )
    assert bool(found) is (fix is not None)


def test_a_window_of_a_condition_is_a_multiple_of_the_step() -> None:
    """`over 50s` cannot be computed from slices of 15 s."""
    assert only(slo(f"{HTTP}\nalerts: {{page: error_rate > 1% over 50s}}")).code == "window-step"


@pytest.mark.parametrize(
    ("target", "condition", "fires"),
    [
        ("93%", "burn > 14.4x over 1h and 5m", False),
        ("94%", "burn > 14.4x over 1h and 5m", True),
        ("50%", "burn > 2x", False),
        ("50%", "burn >= 2x", True),
        ("90%", "burns 50% of budget in 1d", False),
        ("90%", "burns 25% of budget in 1d", True),
        ("100%", "burn > 1000x", True),
    ],
)
def test_a_factor_that_can_never_fire_is_refused(target: str, condition: str, fires: bool) -> None:
    """The burn rate is at most 1 / e: F · e at or above 1 is out of reach of a strict comparison."""
    found = problems(slo(f"{HTTP}\nobjective: {target}\nalerts: {{page: '{condition}'}}"))
    assert [one.code for one in found] == ([] if fires else ["never-fires"])


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("sli: {gauge: x}\nobjective: value < 500MB\nalerts: {page: value > 1GB}", False),
        ("sli: {gauge: x}\nobjective: value < 500MB\nalerts: {page: value > 50}", True),
        ("sli: {gauge: x}\nobjective: value < 80%\nalerts: {page: value > 5s}", True),
        ("sli: {sum: x, unit: USD}\nobjective: value < 10\nalerts: {page: value > 15}", False),
        ("sli: {sum: x, unit: USD}\nobjective: value < 10MB", True),
        ("sli: {gauge: x}\nalerts: {page: [value > 5s, value > 1m]}", False),
    ],
)
def test_the_quantities_of_one_slo_share_a_dimension(body: str, wrong: bool) -> None:
    """Bytes beside bare numbers, or a unit beside `unit:`, are refused."""
    assert [one.code for one in problems(slo(body))] == (["unit"] if wrong else [])


def test_good_and_bad_must_differ() -> None:
    """One event cannot be good and bad; two of the three names are needed."""
    assert only(slo("sli: {good: a, bad: a}")).code == "overlap"
    assert only(slo("sli: {good: a}")).code == "counted"
    assert only(slo("sli: {good: a, bad: b, total: c}")).code == "counted"


def test_a_budget_policy_ends_with_a_catch_all() -> None:
    """Without a last `remaining: any` some budgets would have no state."""
    rule = "{remaining: '> 50%', state: normal, deploys: all}"
    found = only(slo(HTTP, f"budget_policy:\n  - {rule}\n"))
    assert (found.code, found.line, found.column) == ("no-catch-all", 4, 5)
    sound(slo(HTTP, f"budget_policy:\n  - {rule}\n  - {{remaining: any, state: frozen, deploys: fix}}\n"))


@pytest.mark.parametrize(
    ("sli", "code"),
    [
        ("{gauge: x, from: {poller: h, get: /x}}", "from-key"),
        ("{gauge: x, from: {poller: r}}", "from-key"),
        ("{gauge: x, from: {poller: r, info: used, get: /x}}", "from-key"),
        ("{probe: GET /x, from: {poller: u}}", "from-key"),
        ("{probe: database, from: {poller: h}}", "probe-name"),
        ("{gauge: x, from: {poller: h, get: /x, json: $.*.y}}", "by-missing"),
        ("{gauge: x, from: {poller: h, get: /x, json: $.y, by: z}}", "by-without-star"),
        ("{delay: a, under: 1m, key: id}", "grammar"),
        ("{delay: a -> b, under: 1m}", "missing-key"),
        ("{deadline: a}", "missing-key"),
        ("{deadline: a, within: 1m, start: b}", "together"),
        ("{promql: {bad: 'x[$w]'}}", "missing-key"),
        ("{promql: {bad: 'x', total: 'y[$w]'}}", "no-window"),
    ],
)
def test_a_source_needs_its_keys(sli: str, code: str) -> None:
    """Each form and each type of poller has keys it needs, and refuses those that mean nothing to it."""
    assert only(slo(f"sli: {sli}", POLLERS)).code == code


@pytest.mark.parametrize(
    "type_", ["webhook", "slack", "email", "sms", "pagerduty", "apprise", "sentry", "statuspage"]
)
def test_a_channel_needs_its_first_key(type_: str) -> None:
    """Every type but log has a required key; log has none."""
    found = problems(slo(HTTP, f"channels: {{c: {{type: {type_}}}}}\n"))
    assert {one.code for one in found} == {"missing-key"}
    sound(slo(HTTP, "channels: {c: {type: log, optional: true, timeout: 5s}}\n"))


@pytest.mark.parametrize(
    "item", ["check x", "drill y", "slo one ok", "tier 1 dashboard x", "selftest passed", "R.md links dashboard"]
)
def test_a_gate_item_that_only_looks_checkable_is_refused(item: str) -> None:
    """A text that starts like a checked item and does not parse is an error, other texts are free."""
    assert only(slo(HTTP, f"gates: {{g: {{items: ['{item}']}}}}\n")).code == "grammar"
    sound(slo(HTTP, "gates: {g: {items: [all is well, {item: policy is valid, blocked_on: $A}]}}\n"))


def test_a_policy_without_an_slo_is_refused() -> None:
    """An empty list of SLOs is a mistake at its key."""
    assert only(f"{HEAD}slos: []\n").code == "no-slo"


@pytest.mark.parametrize(
    ("moment", "right"),
    [("2026-04-23 02:00", True), ("2026-04-23", True), ("02:00", True), ("T", False), ("soon", False)],
)
def test_maintenance_has_points_in_time(moment: str, right: bool) -> None:
    """A date, a time, or both; nothing else."""
    found = problems(slo(HTTP, f"maintenance: [{{name: m, from: '{moment}', to: 04:00}}]\n"))
    assert [one.code for one in found] == ([] if right else ["unit"])
