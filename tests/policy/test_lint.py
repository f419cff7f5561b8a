"""What works but is likely a mistake is warned of; what is worth knowing is noted (POLICY.md 10)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Protocol

import pytest

from slo_otel.errors import Problem
from slo_otel.policy import lint
from tests.policy.shared import POLICIES, slo

HTTP = "sli: {success: http, good: 2xx or 3xx}"
LATENCY = "sli: {latency: http, exclude: 4xx if"
QUIET = "about: {owner: ann}\ndefaults: {runbook: R.md}\n"
BUDGET = f"{HTTP}\nobjective: 99%\nmin_events: 100"
TODAY = date(2026, 6, 1)


class Said(Protocol):
    """Warnings and notes on an SLO whose keys are `body`, but for constructs that are not evaluated."""

    def __call__(self, body: str, head: str = QUIET) -> list[Problem]: ...


@pytest.fixture(name="said")
def _said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.delenv("OTEL_METRIC_EXPORT_INTERVAL", raising=False)

    def said(body: str, head: str = QUIET) -> list[Problem]:
        path = tmp_path / "slo.yaml"
        path.write_text(slo(body, head))
        return [one for one in lint(path, today=TODAY) if one.code != "unsupported"]

    return said


def codes(found: list[Problem], level: str = "warning") -> list[str]:
    """The kinds of the problems of a level."""
    return [one.code for one in found if one.level == level]


def test_a_careful_policy_has_no_warning(said: Said) -> None:
    """With an owner, a runbook, an alert and a large enough sample nothing is said."""
    assert codes(said(BUDGET)) == []


WARNED = [
    ("too-late", f"{BUDGET}\nalerts: {{page: sli < 97%}}", f"{BUDGET}\nalerts: {{page: sli < objective}}"),
    (
        "too-late",
        f"{BUDGET}\nalerts: {{page: burn > 40x over 1d and 2h}}",
        f"{BUDGET}\nalerts: {{P9: burn > 20x over 1d and 2h}}",
    ),
    (
        "too-late",
        f"{BUDGET}\nalerts: {{page: budget consumed > 101%}}",
        f"{BUDGET}\nalerts: {{page: budget consumed > 99%}}",
    ),
    ("min-events", f"{HTTP}\nobjective: 99%\nmin_events: 99", BUDGET),
    ("min-events", f"{BUDGET}\nalerts: {{page: {{when: off_target for 1h, min_events: 5}}}}", BUDGET),
    ("no-alert", f"{BUDGET}\nbudget_alerts: none", f"{BUDGET}\nbudget_alerts: none\nevaluate: check"),
    (
        "coarse-probe",
        "sli: {probe: GET /x, every: 5m}\nalerts: {page: down for 5m}",
        "sli: {probe: GET /x}\nalerts: {page: down for 5m}",
    ),
    (
        "coarse-probe",
        "sli: {probe: GET /x, every: 5m}\nalerts: {page: failures > 0 in 5m}",
        "sli: {probe: GET /x}\nalerts: {page: failures > 0 in 5m}",
    ),
    (
        "short-window",
        f"{HTTP}\nalerts: {{page: error_rate > 1% over 3m}}",
        f"{HTTP}\nalerts: {{page: error_rate > 1% over 4m}}",
    ),
    ("both-notify", f"{BUDGET}\nalerts: {{page: burn > 3x}}", f"{BUDGET}\nalerts: {{page: budget consumed > 50%}}"),
    (
        "exhausts-window",
        f"{BUDGET}\nwindow: 1d\nalerts: {{page: budget exhausts within 24h}}",
        f"{BUDGET}\nalerts: {{page: budget exhausts within 24h}}",
    ),
    ("no-poller", "sli: {gauge: x}\nalerts: {page: value > 1}", "sli: {gauge: x}\nalerts: {page: no data for 1h}"),
    (
        "age-cadence",
        "sli: {age: x, every: 1h}\nobjective: age <= 1h\nalerts: {page: no data for 1h}",
        "sli: {age: x, every: 59m}\nobjective: age <= 1h\nalerts: {page: no data for 1h}",
    ),
    ("strict-good", "sli: {success: http}", "sli: {success: http, exclude: 4xx if reason=x}"),
    ("strict-good", "sli: {success: GET /x, good: 2xx}", "sli: {success: webhook}"),
    (
        "retention",
        "sli: {promql: {bad: 'x[$w]', total: 'y[$w]'}}\nobjective: 99%\nmin_events: 100",
        "sli: {promql: {bad: 'x[$w]', total: 'y[$w]'}}\nobjective: 99%\nwindow: 15d\nmin_events: 100",
    ),
    ("foreign-route", "sli: {errors: 'GET /users/:id'}", "sli: {errors: 'GET /jobs/a:b'}"),
    ("foreign-route", "sli: {latency: /users/<int:id>}", "sli: {latency: '/users/{id}'}"),
    ("foreign-route", "sli: {errors: /search?q=x}", "sli: {errors: /search}"),
    ("near-name", "sli: {errors: HTTP}", "sli: {errors: http}"),
    ("near-name", "sli: {errors: http | chekout}", "sli: {errors: checkout | webhook}"),
    ("near-name", "sli: {errors: htpp}", "sli: {errors: htmx}"),
    ("near-attribute", f"{LATENCY} raeson=x}}", f"{LATENCY} reason=x}}"),
    ("near-attribute", f"{LATENCY} reasons=x}}", f"{LATENCY} season=x}}"),
    ("near-attribute", f"{LATENCY} method=GET and rute=/x}}", f"{LATENCY} method=GET and router=a}}"),
    ("near-attribute", f"{LATENCY} http.route=/x}}", f"{LATENCY} http.flavor=1}}"),
    ("near-attribute", f"{LATENCY} Reason=x}}", f"{LATENCY} operator=x}}"),
    ("near-attribute", f"{HTTP}\nwhere: {{regoin: eu}}", f"{HTTP}\nwhere: {{region: eu}}"),
    ("near-attribute", f"{HTTP}\nper: enviroment", f"{HTTP}\nper: envelope"),
    ("near-attribute", f"{HTTP}\nkeep: [catgory]", f"{HTTP}\nkeep: [cat]"),
    ("near-attribute", f"{HTTP}\nper: tenant\nwhere: {{tennant: a}}", f"{HTTP}\nper: tenant\nwhere: {{tenant: a}}"),
    (
        "near-attribute",
        f"{HTTP}\nkeep: step_1\nwhere: {{setp_1: a}}",
        f"{HTTP}\nkeep: step_1\nwhere: {{step_2: a}}",
    ),
    ("near-attribute", f"{HTTP.rstrip('}')}, users: cutomer}}", f"{HTTP.rstrip('}')}, users: customer}}"),
    ("dropped-leg", f"{HTTP}\nobjective: 93%\nmin_events: 20", f"{HTTP}\nobjective: 94%\nmin_events: 20"),
]


@pytest.mark.parametrize(("code", "wrong", "right"), WARNED, ids=lambda value: value if "\n" not in value else "")
def test_a_likely_mistake_is_warned_of(said: Said, code: str, wrong: str, right: str) -> None:
    """Each warning is given once for what deserves it, with a fix, and not for its neighbour that does not."""
    head = f"{QUIET}severities: {{page: {{notify: log}}, ticket: {{notify: log}}, P9: {{notify: log}}}}\n"
    head += "categories: {checkout: POST /checkout}\nattributes: {client: customer}\n"
    found = [one for one in said(wrong, head) if one.code == code]
    assert [one.level for one in found] == ["warning"]
    assert found[0].fix
    assert code not in codes(said(right, head))


@pytest.mark.parametrize(
    ("code", "head", "neighbour"),
    [
        ("not-expanded", "namespace: ${TEAM}\n", "namespace: team$\n"),
        ("hidden-category", "categories: {http: POST /x}\n", "categories: {web: POST /x}\n"),
        ("near-attribute", "synthetic: metod=HEAD\n", "synthetic: probe=true\n"),
    ],
)
def test_a_likely_mistake_at_the_top_is_warned_of(said: Said, code: str, head: str, neighbour: str) -> None:
    """Likewise for keys of the file itself."""
    found = [one for one in said(BUDGET, QUIET + head) if one.code == code]
    assert [(one.level, bool(one.fix)) for one in found] == [("warning", True)]
    assert code not in codes(said(BUDGET, QUIET + neighbour))


@pytest.mark.parametrize("interval", ["²", "often", "0", "9" * 5_000])
def test_an_interval_that_is_none_is_the_default(
    said: Said, interval: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`configure` refuses it; a look at the file is not the place."""
    body = f"{HTTP}\nalerts: {{page: error_rate > 1% over 3m}}"
    expected = codes(said(body))
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", interval)
    assert codes(said(body)) == expected == ["short-window"]


def test_the_share_already_spent_is_printed(said: Said) -> None:
    """`sli < 97%` at 99 % fires after three times the budget."""
    found = next(one for one in said(f"{BUDGET}\nalerts: {{page: sli < 97%}}") if one.code == "too-late")
    assert "300%" in found.message


def test_the_smallest_sample_is_printed(said: Said) -> None:
    """A written sample warns, the default one is a note; both print 1 / e, and a zero budget needs none."""
    written = said(f"{HTTP}\nobjective: 99.5%\nmin_events: 20")
    assert "one (200)" in next(one.message for one in written if one.code == "min-events")
    default = said(f"{HTTP}\nobjective: 99.5%")
    assert [one.level for one in default if one.code == "min-events"] == ["note"]
    assert "min-events" not in [one.code for one in said(f"{HTTP}\nobjective: 100%")]


def test_missing_owner_and_runbook(said: Said) -> None:
    """Without both there is one warning for the file and one for the SLO."""
    assert codes(said(f"{BUDGET}\nalerts: {{page: off_target for 1h}}", "")) == ["no-owner", "no-runbook"]


def test_default_alerts_want_a_runbook_where_the_file_says_whom_they_reach(said: Said) -> None:
    """Who declares severities is paged by alerts that stand nowhere in the file; without any they go to the log."""
    owned = "about: {owner: ann}\n"
    declared = f"{owned}severities: {{page: {{notify: log}}, ticket: {{notify: log}}}}\n"
    assert codes(said(BUDGET, owned)) == []
    [warning] = [one for one in said(BUDGET, declared) if one.level == "warning"]
    assert (warning.code, warning.message) == ("no-runbook", "the default burn-rate alerts of one have no runbook")
    assert codes(said(f"{BUDGET}\nbudget_alerts: none\nevaluate: check", declared)) == []


def test_a_severity_that_reaches_nobody(said: Said) -> None:
    """A used severity without a channel is warned of, an unused one and one whose alert names a channel are not."""
    head = f"{QUIET}severities: {{page: {{impact: x}}, ticket: {{notify: log}}, rest: {{}}}}\n"
    assert codes(said(f"{HTTP}\nalerts: {{page: any}}", head)) == ["no-channel"]
    assert codes(said(f"{HTTP}\nalerts: {{page: {{when: any, notify: log}}}}", head)) == []


def test_an_overdue_review(said: Said) -> None:
    """A monthly review is overdue a month after the last date of the document, and only then."""
    head = "about: {owner: ann, effective: %s, review: {every: month}}\ndefaults: {runbook: R.md}\n"
    assert codes(said(BUDGET, head % "2026-04-30")) == ["review-overdue"]
    assert codes(said(BUDGET, head % "2026-05-10")) == []


def test_an_inherited_condition_that_does_not_fit_is_a_note(said: Said) -> None:
    """It is skipped, named with the SLOs that skip it, and not an error."""
    head = "about: {owner: ann}\ndefaults: {runbook: R.md, alerts: {page: [down for 5m, outage in all region]}}\n"
    found = [one for one in said(BUDGET, head) if one.code == "skipped-alert"]
    assert [one.level for one in found] == ["note", "note"]
    assert all("for one:" in one.message for one in found)


def test_inherited_budget_alerts_skip_short_windows(said: Said) -> None:
    """Budget conditions of defaults are skipped for windows below a day, exhausts for those it outlooks."""
    head = "defaults: {budget_alerts: {page: [budget consumed >= 50%, budget exhausts within 24h]}}\n"
    assert codes(said(f"{BUDGET}\nwindow: 1h", head), "note") == ["skipped-alert", "skipped-alert"]
    assert codes(said(f"{BUDGET}\nwindow: 1d", head), "note") == ["skipped-alert"]
    assert codes(said(f"{BUDGET}\nwindow: 2d", head), "note") == []


def test_an_inherited_factor_out_of_reach_is_a_warning(said: Said) -> None:
    """The same factor that is refused at the SLO is only warned of where it is inherited."""
    head = f"{QUIET.rstrip()[:-1]}, alerts: {{page: burn > 200x over 1h and 5m}}}}\n"
    assert "never-fires" in codes(said(BUDGET, head))


def test_notes_on_constructs_not_evaluated(tmp_path: Path) -> None:
    """Every construct of the table that a file uses is a note at its place."""
    path = tmp_path / "slo.yaml"
    path.write_text(slo("sli: {probe: GET /x}", "channels: {c: {type: log}}\n"))
    found = [one for one in lint(path) if one.code == "unsupported"]
    assert [(one.line, one.column, one.level) for one in found] == [(3, 1, "note"), (6, 10, "note")]


def test_free_gate_items_and_one_host_are_notes(said: Said) -> None:
    """A free-text item and a delay are worth knowing, no mistakes."""
    body = "sli: {delay: a -> b, under: 1m, key: id}"
    found = said(body, f"{QUIET}gates: {{g: {{items: [all is well]}}}}\n")
    assert sorted(codes(found, "note")) == ["free-item", "one-host"]
    assert codes(found) == []


def test_what_the_documents_expect_lint_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remarks that the five policies announce: late alerts, a sample of 200, one poll of 5m, variables."""
    monkeypatch.delenv("POSTHOG_API_KEY", raising=False)
    said = {path.stem: lint(path, today=TODAY) for path in POLICIES}
    assert [one.line for one in said["avalo"] if one.code == "too-late"] == [147, 149]
    assert any("exchange-completion (200)" in one.message for one in said["nexus"])
    assert [one.line for one in said["dealix-v1"] if one.code == "coarse-probe"] == [57]
    assert {one.code for one in said["nexus"] if one.level == "warning"} >= {"missing-variable", "no-owner"}
