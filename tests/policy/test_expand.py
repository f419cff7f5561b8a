"""From an entry of the file to its SLOs: variants, list objectives, names, provenance (POLICY.md 4)."""

from __future__ import annotations

from typing import Any

import pytest

from slo_otel.policy import lint, load
from slo_otel.policy._expand import Expanded, expand
from slo_otel.units import DAY_NS, Rolling
from tests.policy.shared import POLICIES, slo, sound

HTTP = "sli: {success: http, good: 2xx or 3xx}"
LATENCY = "sli: {latency: http}"


def names(body: str, head: str = "") -> list[str]:
    """The names of the SLOs of one entry."""
    return [level.name for one in expand(sound(slo(body, head))) for level in one.levels]


def one(body: str, head: str = "") -> Expanded:
    """The one expanded entry of a policy."""
    return expand(sound(slo(body, head)))[0]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (HTTP, ["one"]),
        (f"{LATENCY}\nobjective: [p95 < 1s]", ["one"]),
        (f"{LATENCY}\nobjective: [p95 < 1s, p99.9 < 2s]", ["one-p95", "one-p99.9"]),
        (f"{LATENCY}\nobjective: [p95 < 1s, p95 < 2s]", ["one-1", "one-2"]),
        (f"{HTTP}\nobjective: [99%, 99.9%]", ["one-1", "one-2"]),
        (f"{HTTP}\neach: {{a: {{}}, b: {{objective: 99%}}}}", ["one-a", "one-b"]),
        (f"{HTTP}\nobjective: 98%\neach: {{a: {{objective: 99%}}}}", ["one-a", "one"]),
        (f"{LATENCY}\neach: {{a: {{objective: [p50 < 1s, p95 < 2s]}}}}", ["one-a-p50", "one-a-p95"]),
    ],
)
def test_the_names_of_list_objectives_and_variants(body: str, expected: list[str]) -> None:
    """Suffixes by percentile, else by number; none for a list of one; the variant comes first."""
    assert names(body) == expected


def test_a_variant_without_an_objective_has_the_slos() -> None:
    """`objective` is a key like any other: the variant's replaces the SLO's."""
    found = expand(sound(slo(f"{HTTP}\nobjective: 98%\neach: {{a: {{where: {{x: y}}}}}}")))
    assert [level.objective.text for entry in found for level in entry.levels if level.objective] == ["98%", "98%"]


def test_conditions_that_ignore_the_objective_attach_once() -> None:
    """With three objectives `p95 > 1s` stands on the first level only, `off_target` on each."""
    body = (
        f"{LATENCY}\nobjective: [p50 < 1s, p95 < 2s, p99 < 3s]\n"
        "alerts: {page: [p95 > 1s over 5m, off_target for 1h]}"
    )
    texts = [[alert.entry.when.text for alert in level.alerts] for level in one(body).levels]
    assert texts == [["p95 > 1s over 5m", "off_target for 1h"], ["off_target for 1h"], ["off_target for 1h"]]


@pytest.mark.parametrize(
    ("sli", "head", "own", "expected"),
    [
        (HTTP, "", "", 20),
        (HTTP, "defaults: {min_events: 5}\n", "", 5),
        (HTTP, "defaults: {min_events: 5}\n", "\nmin_events: 7", 7),
        ("sli: {deadline: x, within: 1m}", "", "", 1),
        ("sli: {deadline: x, within: 1m}", "defaults: {min_events: 5}\n", "", 1),
        ("sli: {duration: x}", "defaults: {min_events: 5}\n", "\nmin_events: 7", 7),
    ],
)
def test_the_minimum_sample_of_rare_things_is_one(sli: str, head: str, own: str, expected: int) -> None:
    """20 by default, 1 for deadlines and durations whatever `defaults` says, the SLO's own always."""
    assert one(f"{sli}{own}", head).min_events == expected


def test_per_none_is_no_dimension() -> None:
    """`none` drops the dimensions of the defaults; an attribute in `per` is not kept a second time."""
    assert one(f"{HTTP}\nper: none", "defaults: {per: region}\n").per == ()
    found = one(f"{HTTP}\nper: [region, tenant]\nkeep: [tenant, plan]")
    assert (found.per, found.keep) == (("region", "tenant"), ("plan",))


def test_defaults_of_the_language() -> None:
    """Thirty days, live, the built-in burn-rate alerts, the owner of the document."""
    found = one(HTTP, "about: {owner: ann}\n")
    assert (found.window, found.evaluate, found.owner) == (Rolling(30 * DAY_NS), "live", "ann")
    assert found.budget_alerts.default
    assert not found.budget_alerts_written


def test_budget_alerts_of_an_slo_replace_the_inherited_set() -> None:
    """`budget_alerts` is a key that replaces; `none` empties it while `alerts` still add up."""
    head = "defaults: {alerts: {page: any}, budget_alerts: {page: budget consumed >= 50%}}\n"
    texts = [alert.entry.when.text for alert in one(f"{HTTP}\nobjective: 99%", head).levels[0].alerts]
    assert texts == ["any", "budget consumed >= 50%"]
    body = f"{HTTP}\nobjective: 99%\nbudget_alerts: none"
    assert [alert.entry.when.text for alert in one(body, head).levels[0].alerts] == ["any"]


def test_every_alert_of_the_policies_stands_where_its_path_says() -> None:
    """Each provenance path leads back through the model to the very alert."""
    for file in POLICIES:
        policy = load(file)
        for entry in expand(policy):
            for alert in (alert for level in entry.levels for alert in level.alerts):
                found: Any = policy
                for part in alert.path:
                    found = getattr(found, str(part)) if hasattr(found, str(part)) else found[part]
                    found = found.alerts if part == "budget_alerts" else found
                assert found is alert.entry


def test_a_policy_is_a_value() -> None:
    """The same file gives an equal policy that cannot be changed."""
    for file in POLICIES:
        assert load(file) == load(file)
        with pytest.raises(ValueError, match="frozen"):
            load(file).service = "other"
    assert lint(POLICIES[0]) == lint(POLICIES[0])
