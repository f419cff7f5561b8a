"""Every value of the grammar has a text that parses back to it, whatever the free spaces."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from slo_otel.plan import Budgeting, Condition, Match, Objective, Predicate
from slo_otel.policy._grammar import (
    GrammarError,
    Panel,
    parse_budgeting,
    parse_condition,
    parse_match,
    parse_objective,
    parse_panel,
    parse_predicate,
    parse_window,
)
from slo_otel.policy._grammar_print import format_match, format_predicate
from slo_otel.units import Window
from tests.policy import texts

PARSERS = (
    parse_match,
    parse_predicate,
    parse_objective,
    parse_budgeting,
    parse_window,
    parse_condition,
    parse_panel,
)
WORDS = re.findall(
    r"\S+",
    "error_rate burn burns budget value age outage down events any sli status of all tier over for in no data p95 "
    "mean max timeslices at rolling if and or http GET / ** * {x} {x:y} = != | > >= < <= 5% 10m 0s 2x 10 500MB "
    "'' ' x",
)


@given(texts.MATCHES)
def test_match(match: Match) -> None:
    """Any match is read back from its canonical text."""
    assert parse_match(format_match(match)) == match


@given(texts.PREDICATES)
def test_predicate(predicate: Predicate) -> None:
    """Any predicate is read back from its canonical text, values with spaces, bars and equal signs included."""
    assert parse_predicate(format_predicate(predicate)) == predicate


@given(texts.OBJECTIVES)
def test_objective(objective: Objective) -> None:
    """Any objective is read back from its text, exactly."""
    assert parse_objective(texts.objective(objective)) == objective


@given(texts.BUDGETINGS)
def test_budgeting(method: Budgeting) -> None:
    """Any budgeting method is read back from its text."""
    assert parse_budgeting(texts.budgeting(method)) == method


@given(texts.WINDOWS)
def test_window(window: Window) -> None:
    """Any window is read back from its text."""
    assert parse_window(str(window)) == window


@given(texts.CONDITIONS)
def test_condition(condition: Condition) -> None:
    """Any condition is read back from its text."""
    assert parse_condition(texts.condition(condition)) == condition


@given(texts.CONDITIONS)
def test_spaces_around_comparisons_are_free(condition: Condition) -> None:
    """A condition means the same with no space or with many around its comparison."""
    text = texts.condition(condition)
    assert parse_condition(re.sub(r" ([<>]=?) ", r"\1", text)) == condition
    assert parse_condition(re.sub(r" ([<>]=?) ", r"   \1  ", f" {text} ")) == condition


@given(texts.PANELS)
def test_panel(panel: Panel) -> None:
    """Any panel is read back from its text."""
    assert parse_panel(texts.panel(panel)) == panel


@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)))
def test_any_other_text_is_a_grammar_error(text: str) -> None:
    """No text makes a parser fail in another way than with a message, an offset inside the text and a fix."""
    for error in filter(None, (_error(parse, text) for parse in PARSERS)):
        assert 0 <= error.offset <= len(text)
        assert error.message
        assert error.fix


def _error(parse: Callable[[str], object], text: str) -> GrammarError | None:
    try:
        parse(text)
    except GrammarError as error:
        return error
    return None
