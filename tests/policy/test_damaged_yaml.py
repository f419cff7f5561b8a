"""What damaged policies brought to light: each finding of the mutants as a small case of its own."""

from __future__ import annotations

import time

import pytest

from slo_otel.policy import compile, loads  # noqa: A004 - the word of the design
from tests.policy.shared import HEAD, only, problems, slo

HTTP = "sli: {success: http, good: 2xx or 3xx}"


@pytest.mark.parametrize(
    ("escape", "code", "place"),
    [
        (r"\UFFFFFFFF", "escape", (6, 15)),
        (r"\U00110000", "escape", (6, 15)),
        (r"\q", "escape", (6, 15)),
        (r"\x1", "escape", (6, 15)),
        (r"\ud800", "character", (6, 14)),
        (r"\udfff", "character", (6, 14)),
        (r"\0", "character", (6, 14)),
        (r"\e[2J", "character", (6, 14)),
        (r"\x7f", "character", (6, 14)),
        (r"\ue000", "character", (6, 14)),
    ],
)
def test_an_escape_that_makes_no_text_is_refused_at_its_text(
    escape: str, code: str, place: tuple[int, int]
) -> None:
    """Halves of pairs, control characters and numbers beyond Unicode neither reach the plan nor a terminal."""
    found = only(slo(f'{HTTP}\nrunbook: "{escape}"'))
    assert (found.code, (found.line, found.column)) == (code, place)
    assert str(found).replace("\n    ", " ").isprintable()


@pytest.mark.parametrize("tag", ["!%", "!50%", "!a%zz", "!" + "%" * 50, "!%zz \\UFFFFFFFF"])
def test_a_percent_sign_in_a_tag_is_no_escape_of_a_text(tag: str) -> None:
    """It is refused where it stands, and no text with a backslash is blamed, repaired and read again."""
    found = only(slo(f'{HTTP}\ndescription: "\\n"\nrunbook: {tag} x'))
    assert (found.code, found.line) == ("yaml", 7)
    assert found.column > 13
    assert "'%'" in found.message


@pytest.mark.parametrize("tag", ["!a", "!!%6eull", "!<tag:a>", "!" * 1000])
def test_a_foreign_tag_is_refused_as_it_is_written(tag: str) -> None:
    """The message has its beginning, whatever it decodes to."""
    found = only(slo(f"{HTTP}\nrunbook: {tag} x"))
    assert (found.code, (found.line, found.column)) == ("tag", (6, 14))
    assert f"the tag {tag[:60]}" in found.message


def test_an_endless_tag_is_refused_before_it_is_parsed() -> None:
    """The parser would take the square of its length; an exclamation mark inside a text is none."""
    found = only(slo(f"{HTTP}\nrunbook: {'!' * 900_000} x"))
    assert (found.code, (found.line, found.column)) == ("tag", (6, 14))
    assert found.message == "a tag of more than 1000 characters"
    loads(slo(f"{HTTP}\nrunbook: R!{'x' * 1000}"))


def test_escapes_that_make_text_are_text() -> None:
    """A line break, a letter and an emoji may be escapes; in single quotes a backslash is itself."""
    policy = loads(slo(HTTP + "\nrunbook: \"\\u00e9 \\U0001F600 \\n\"\ndescription: '\\UFFFFFFFF'"))
    assert (policy.slos[0].runbook, policy.slos[0].description) == ("é \U0001f600 \n", r"\UFFFFFFFF")
    assert compile(policy).slos[0].runbook == "é \U0001f600 \n"


def test_what_follows_a_wrong_escape_is_still_read() -> None:
    """A number beyond Unicode is one error among the others of the file."""
    found = problems(slo(f'{HTTP}\nrunbook: "\\UFFFFFFFF"\nwindw: 7d'))
    assert [(one.line, one.code) for one in found] == [(6, "escape"), (7, "unknown-key")]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('service: "shop\nslos: []\n', (2, 10)),
        ("service: 'shop\nslos: []\n# the team's file\n", (2, 10)),
        ('service: "shop\nslos: []\nlabels: {a: "b"}\n', (2, 10)),
        ("service: 'shop\n# what the team's\n", (2, 10)),
        ('service: shop\nlabels: {a: "b}\nslos: []\nowner: {a: "#x"}\nb: {c: d\n', (3, 13)),
        ('service: "shop\nslos: []\nlabels: {a: "#b"}\n', (2, 10)),
    ],
)
def test_an_open_quote_is_reported_where_it_opens(text: str, place: tuple[int, int]) -> None:
    """Not where the parser notices it: at the next quote of another text, or at the end of the file."""
    found = only(f"version: slo/v1\n{text}")
    assert (found.code, (found.line, found.column)) == ("open-quote", place)


def test_a_comment_needs_a_space_before_it() -> None:
    """Right behind a closing quote, `#` is no comment to YAML, whatever the parser makes of it."""
    found = only(slo(f'{HTTP}\nrunbook: "a"#b'))
    assert (found.code, found.line) == ("yaml", 6)


def test_a_quoted_text_of_several_lines_is_no_open_quote() -> None:
    """A long text may go over lines; a mistake below it is reported where it is."""
    loads(slo(f'{HTTP}\nrunbook: "one\n  two: three\n\n  four"').replace("two: three", "two three"))
    found = only(slo(f'{HTTP}\nrunbook: "one\n  two"\nowner: a: b'))
    assert (found.code, (found.line, found.column)) == ("yaml", (8, 13))


@pytest.mark.parametrize(
    ("text", "place", "fix"),
    [
        ("labels: {a: b\nslos: []\n", (3, 9), "write }"),
        ("labels: {a: b\n", (3, 9), "write }"),
        ("severities:\n  page: {notify: [log}\n  x: {}\n", (4, 22), None),
        ("severities:\n  page: {notify: [log]\n  x: {}\n", (4, 9), "write }"),
        ("audit:\n  to: [log\n  snapshot: day\n", (4, 7), "write ]"),
        ("rows:\n  One:  [status\n  Two of:  [budget]\n", (4, 9), "write ]"),
        ("reports:\n  - {name: a, every: week\n  - {name: b}\n", (4, 5), "write }"),
    ],
)
def test_an_open_bracket_is_reported_where_it_opens(text: str, place: tuple[int, int], fix: str | None) -> None:
    """When the next key or item of the mapping around it shows that it should have been closed."""
    found = only(HEAD + text)
    assert (found.line, found.column) == place
    if fix is not None:
        assert fix in str(found.fix)


def test_a_mistake_inside_brackets_over_several_lines_is_reported_where_it_is() -> None:
    """A bracket whose list goes on below, further in, is not to blame for what is wrong there."""
    found = only(f"{HEAD}labels: {{\n  a: b,\n  c: d: e,\n  }}\n")
    assert (found.line, found.column) == (5, 7)


def test_a_message_about_an_endless_text_is_short() -> None:
    """As many digits as an expression may have, where a duration is due, are quoted by their two ends."""
    found = only(slo(f"{HTTP}\nwindow: {'9' * 99_999}d"))
    assert len(found.message) < 300
    assert found.message.startswith("'9999")
    assert found.message.endswith("is not a duration")


def test_two_entries_of_one_name_are_refused_although_their_variants_differ() -> None:
    """A reset, a message or a gate that names the entry would mean both."""
    one, two = (f"  - {{name: a, sli: {{errors: http}}, each: {{{name}: {{where: {{k: v}}}}}}}}\n" for name in "xy")
    found = only(f"{HEAD}slos:\n{one}{two}")
    assert (found.code, (found.line, found.column)) == ("duplicate-slo", (5, 12))


@pytest.mark.parametrize(
    ("text", "right"), [("0s", False), ("5m", True), ("immediate", True), ("2 business days", True)]
)
def test_a_time_to_respond_is_above_zero(text: str, right: bool) -> None:
    """No time at all is written as the word `immediate`."""
    found = problems(slo(HTTP, f"severities: {{page: {{notify: log, respond_within: {text}}}, ticket: {{}}}}\n"))
    assert [one.code for one in found] == ([] if right else ["unit"])


@pytest.mark.parametrize("body", ["a" * 100_000 + "{", "a > " * 25_000 + "{", "a " + ">" * 100_000 + "{"])
def test_a_line_of_a_hundred_thousand_characters_is_no_work(body: str) -> None:
    """What an unquoted route or comparison would look like is searched near the fault: the square is 10 billion."""
    start = time.thread_time()
    assert problems(slo(f"sli: {{success: {body}, good: 2xx}}"))
    assert time.thread_time() - start < 5
