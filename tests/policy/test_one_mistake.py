"""One mistake is one error, at its place and in words of the policy: what a tired person reads at night."""

from __future__ import annotations

import pytest

from slo_otel import policy
from slo_otel.errors import PolicyError
from tests.policy.shared import HEAD, only, slo

HTTP = "sli: {success: http, good: 2xx or 3xx}"
PROBE = "sli:\n  every: 60s\n  {}: GET /x\n  good: 200"
OWN = "severities: {P1: {notify: log}}\n"


@pytest.mark.parametrize(
    ("text", "place", "fix"),
    [
        (HEAD.replace("service", "srvice") + f"slos: [{{name: a, {HTTP}}}]\n", (2, 1), "'service'"),
        (slo("slii: {success: http}"), (5, 5), "'sli'"),
        (slo(HTTP).replace("name", "Name"), (4, 5), "'name'"),
        (slo(f"{HTTP}\nalerts: {{page: {{wen: any}}}}"), (6, 21), "'when'"),
        (slo(HTTP, "channels: {a: {type: slack, ur: x}}\n"), (3, 29), "'url'"),
        (slo(HTTP, "channels:\n  a:\n    url: x\n    typ: slack\n"), (6, 5), "'type'"),
        (slo(PROBE.format("prbe")), (7, 7), "'probe'"),
        (slo("sli: {bat: a, total: b}"), (5, 11), "'bad'"),
        (
            slo(f"{HTTP}\nalerts: {{page: {{when: any, notify: x}}}}", "chanels: {x: {type: log}}\n"),
            (3, 1),
            "'channels'",
        ),
        (slo(f"{HTTP}\nwhere: {{category: x}}", "Categories: {x: {}}\n"), (3, 1), "'categories'"),
    ],
)
def test_a_misspelt_key_is_not_also_a_missing_one(text: str, place: tuple[int, int], fix: str) -> None:
    """Neither the key that was meant is missing, nor what its section declares undeclared."""
    found = only(text)
    assert (found.code, (found.line, found.column)) == ("unknown-key", place)
    assert fix in str(found.fix)


def test_a_probe_that_lost_its_name_is_no_pair_of_counts() -> None:
    """`good: 200` beside `every` does not make a counted SLI of what was a probe."""
    found = only(slo("sli: {every: 60s, good: 200}"))
    assert (found.code, (found.line, found.column)) == ("no-form", (5, 10))
    assert only(slo("sli: {good: a, bad: b, every: 60s}")).code == "unknown-key"


def test_a_letter_of_another_script_is_pointed_out() -> None:
    """Two words that look the same are no help without the letter that differs."""
    found = only(slo(f"{HTTP}\nоwner: x"))
    assert found.fix == "did you mean 'owner'? 'о' (U+043E) is a letter of another script"


def test_a_key_that_is_missing_beside_another_unknown_one_is_reported() -> None:
    """Only a key that looks like the missing one takes its place."""
    with pytest.raises(AssertionError):
        only(slo("mood: good"))


def test_a_set_of_budget_alerts_that_is_left_out_implies_no_severity() -> None:
    """With `nnone` misspelt, the default alerts do not come back and ask for `page` and `ticket`."""
    found = only(slo(f"{HTTP}\nobjective: 99%", f"{OWN}defaults: {{budget_alerts: nnone}}\n"))
    assert (found.code, found.line) == ("grammar", 4)


@pytest.mark.parametrize("text", ["{success: http, good:}", "{good:, success: http}"])
def test_a_colon_without_a_space_in_braces_is_an_empty_value(text: str) -> None:
    """YAML reads `good:` there as a text; it is a key without its value, and no text with a comma."""
    found = only(slo(f"sli: {text}"))
    assert (found.code, found.message) == ("empty", "nothing is written after 'good'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\n b: 2\n", "a second ': ' in one line, or a key out of line"),
        ("a:\n  b: 1\n c: 2\n", "does not line up"),
        ("a: 1\nb\n", "a key without ': '"),
        ("a: {b: c d: e}\n", "a comma or the closing bracket"),
        ("a: @b\n", "may not start with this character"),
        ("a: [%b]\n", "may not start with this character"),
    ],
)
def test_what_is_no_yaml_is_said_without_the_parsers_grammar(text: str, words: str) -> None:
    """No `<block end>`, no token, no context: what is wrong, and what to do about it."""
    found = only(text)
    assert words in found.message
    assert "<" not in found.message
    assert found.fix


def test_a_tag_is_shown_as_it_is_written() -> None:
    """`!!set`, not what the parser resolves it to."""
    assert only(slo(f"{HTTP}\nrunbook: !!set x")).message == "the tag !!set means nothing here"


def test_an_objective_that_is_none_lists_every_form() -> None:
    """A percentage is among what may be written."""
    assert "99.5%" in str(only(slo(f"{HTTP}\nobjective: good")).fix)


def test_an_expression_of_a_hundred_thousand_characters_is_refused_by_its_length() -> None:
    """It would be read for a second and more; the error says where it stands and how long it may be."""
    found = only(slo(f"sli: {{success: http, good: {'2xx or ' * 20_000}2xx}}"))
    assert (found.message, found.line) == ("a text of 140003 characters", 5)
    assert "at most 100000" in str(found.fix)


@pytest.mark.parametrize("character", ["\x07", "\ue000"])
def test_what_a_message_offers_can_be_printed(character: str) -> None:
    """A declared name with a character that no file may have is not offered for another one."""
    with pytest.raises(PolicyError) as caught:
        policy.loads(
            slo("sli: {success: http, good: 2xx}\ntier: zzz", f"tiers: {{'{character}': {{}}, core: {{}}}}\n")
        )
    assert all(str(problem.fix).isprintable() for problem in caught.value.problems)
