"""What this version does not evaluate is said once, where it stands, and nowhere else."""

from __future__ import annotations

import pytest

from slo_otel.policy import Policy, loads
from slo_otel.policy._expand import expand
from slo_otel.policy._unsupported import UNSUPPORTED, Note, notes_for
from tests.policy.documents import DOCUMENTS, compiled, plan, policy


def _notes(found: Policy) -> tuple[Note, ...]:
    return notes_for(found, expand(found))


def notes(text: str) -> list[tuple[str, tuple[str | int, ...]]]:
    """Construct and place of each note on a few lines of YAML."""
    return [(note.construct, note.path) for note in _notes(loads("version: slo/v1\nservice: shop\n" + text))]


@pytest.mark.parametrize(
    "text",
    [
        "event: a",
        "probe: GET /health",
        "gauge: a",
        "age: a",
        "sum: a",
        "delay: a -> b, under: 1m, key: id",
        "deadline: a, within: 1m",
        "duration: a",
        "promql: {bad: 'a[$w]', total: 'b[$w]'}",
    ],
)
def test_forms_without_an_evaluation(text: str) -> None:
    """Such an SLO has the state `unsupported`, and a note at its SLI says what is missing."""
    form = text.partition(":")[0]
    file = f"slos:\n  - {{name: ok, sli: {{success: http}}}}\n  - {{name: s, sli: {{{text}}}}}"
    assert [slo.unsupported for slo in compiled(file).slos] == [(), (f"{form}: {UNSUPPORTED[form]}",)]
    assert notes(file) == [(form, ("slos", 1, "sli"))]


@pytest.mark.parametrize(
    "text",
    ["success: http", "errors: a", "latency: http", "good: a, bad: b", "total: a, bad: b", "good: a, total: b"],
)
def test_evaluated_forms_have_no_note(text: str) -> None:
    """Success, errors, counted and latency are evaluated."""
    file = f"slos:\n  - {{name: s, sli: {{{text}}}}}"
    assert (compiled(file).slos[0].unsupported, notes(file)) == ((), [])


def test_budgeting_by_slices() -> None:
    """Timeslices change the numbers, so the SLO is unsupported, also where `defaults` says so."""
    slo = "{name: s, sli: {success: http}, objective: 99%, budget_alerts: none"
    own = f"slos: [{slo}, budgeting: timeslices 1m at 95%}}]"
    assert notes(own) == [("timeslices", ("slos", 0, "budgeting"))]
    assert compiled(own).slos[0].unsupported == ("timeslices: budgets are by occurrences only",)
    inherited = f"defaults: {{budgeting: ratio-timeslices 1m}}\nslos: [{slo}}}]"
    assert notes(inherited) == [("ratio-timeslices", ("slos", 0))]


def test_what_does_not_change_a_number_is_only_noted() -> None:
    """Users and alerts are noted; the SLO is evaluated."""
    file = "slos: [{name: s, sli: {success: http, users: u}, alerts: {page: any}}]"
    assert notes(file) == [("alerts", ("slos", 0, "alerts")), ("users", ("slos", 0, "sli", "users"))]
    assert compiled(file).slos[0].unsupported == ()


def test_default_alerts_are_noted_once() -> None:
    """An objective brings default alerts: one note at the SLOs; none where there are none."""
    slo = "{name: s, sli: {success: http}, objective: 99%"
    assert notes(f"slos: [{slo}}}]") == [("alerts", ("slos",))]
    assert notes(f"slos: [{slo}, budget_alerts: none}}]") == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_part_of_the_documents_that_has_no_effect_is_noted(document: str) -> None:
    """Each unsupported SLO and each key of the file without an effect has a note with a place."""
    found = _notes(policy(document))
    messages = {note.message for note in found}
    assert {one for slo in plan(document).slos for one in slo.unsupported} <= messages
    assert set(plan(document).unsupported) <= messages
    assert len(found) == len(set(found))


def test_keys_of_the_file_that_have_no_effect() -> None:
    """The plan carries them for the log line of `configure`."""
    assert plan("nexus").unsupported == (
        "alerts: conditions are checked, not yet judged: nothing is sent",
        "channels: nothing is sent yet",
        "budget_policy: no state follows from a budget yet",
    )
