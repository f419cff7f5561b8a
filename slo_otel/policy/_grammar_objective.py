"""`objective`, `budgeting` and `window` of the grammar."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from slo_otel.plan import (
    AgeState,
    Budgeting,
    Cmp,
    LatencyObjective,
    MaxObjective,
    MeanObjective,
    Objective,
    Occurrences,
    RatioObjective,
    RatioTimeslices,
    ShareObjective,
    State,
    Timeslices,
    ValueState,
)
from slo_otel.policy._grammar_scan import Scanner, closest, nearest
from slo_otel.units import Period, Rolling, Window

_BELOW: Final = re.compile(r"<=?(?![<>=])")
_ABOVE: Final = re.compile(r">=?")
_CMP: Final = re.compile(r"[<>]=?(?![<>=])")
_NUMERIC: Final = re.compile(r"\.?[0-9]")
_FORMS: Final = "99.5%, p95 < 400ms, value < 10, age < 24h, 99% of value < 10, mean < 30m or max < 15m"
_BUDGETING: Final = ("occurrences", "timeslices", "ratio-timeslices")


def parse_objective(text: str) -> Objective:
    """`99.95%`, `p95 < 400ms`, `99% of value < 10`. Raises `GrammarError`."""
    scanner = Scanner(text)
    objective = _objective(scanner)
    scanner.finish(f"an objective is {_FORMS}")
    return objective


def _objective(scanner: Scanner) -> Objective:
    if scanner.starts(_NUMERIC):
        return _ratio(scanner)
    share = scanner.percentile()
    if share is not None:
        return LatencyObjective(share, below(scanner))
    if scanner.word("mean"):
        return MeanObjective(below(scanner))
    if scanner.word("max"):
        return MaxObjective(below(scanner))
    return _state(scanner)


def _ratio(scanner: Scanner) -> RatioObjective | ShareObjective:
    target = _target(scanner)
    if scanner.word("of"):
        return ShareObjective(target, _state(scanner))
    return RatioObjective(target)


def _target(scanner: Scanner) -> Fraction:
    start = scanner.at
    target = scanner.percent()
    if not 0 < target <= 1:
        scanner.fail(
            f"a target of {scanner.text[start : scanner.at].strip()}", "write more than 0% and at most 100%", start
        )
    return target


def _state(scanner: Scanner) -> State:
    if scanner.word("value"):
        return ValueState(comparison(scanner), scanner.quantity())
    if scanner.word("age"):
        return AgeState(below(scanner))
    word = scanner.next
    if not word:
        scanner.fail("the text ends too early", f"an objective is {_FORMS}")
    meant = closest(word, ("value", "age", "mean", "max", "p95"))
    fix = f"an objective is {_FORMS}" if meant is None else f"did you mean {meant!r}?"
    return scanner.fail(f"{word!r} is no objective", fix)


def comparison(scanner: Scanner) -> Cmp:
    """One of `> >= < <=`, spaces around it free."""
    found = scanner.take(_CMP)
    if found is None:
        scanner.fail(f"expected a comparison, found {scanner.found()}", "write one of > >= < <=")
    return Cmp(found[0])


def below(scanner: Scanner) -> int:
    """`< DURATION` or `<= DURATION`; both include equality."""
    if scanner.starts(_ABOVE):
        scanner.fail("an objective is an upper limit", "write '<'")
    if scanner.take(_BELOW) is None:
        scanner.fail(f"expected '<', found {scanner.found()}", "write '<' and a duration, for example < 400ms")
    return scanner.duration()


def parse_budgeting(text: str) -> Budgeting:
    """`occurrences`, `timeslices 1m at 95%`, `ratio-timeslices 1m`. Raises `GrammarError`."""
    scanner = Scanner(text)
    method = _budgeting(scanner)
    scanner.finish("write occurrences, timeslices 1m at 95% or ratio-timeslices 1m")
    return method


def _budgeting(scanner: Scanner) -> Budgeting:
    if scanner.word("occurrences"):
        return Occurrences()
    if scanner.word("ratio-timeslices"):
        return RatioTimeslices(scanner.duration())
    if not scanner.word("timeslices"):
        scanner.fail(f"{scanner.next!r} is no budgeting method", nearest(scanner.next, _BUDGETING))
    width = scanner.duration()
    scanner.expect("at")
    return Timeslices(width, _target(scanner))


def parse_window(text: str) -> Window:
    """`30d`, `30d rolling`, `month`. Raises `GrammarError`."""
    scanner = Scanner(text)
    window = _window(scanner)
    scanner.finish("write a duration such as 30d, or one of " + ", ".join(Period))
    return window


def _window(scanner: Scanner) -> Window:
    periods = tuple(period.value for period in Period)
    for period in Period:
        if scanner.word(period.value):
            return period
    if not scanner.starts(_NUMERIC):
        scanner.fail(
            f"{scanner.next!r} is no window", f"{nearest(scanner.next, periods)}, or a duration such as 30d"
        )
    length = scanner.duration()
    scanner.word("rolling")
    return Rolling(length)
