"""Operators on the strings of the grammar: units, ranges, words, comparisons."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Final

from tests.policy.mutants.keys import slip
from tests.policy.mutants.original import Mutant, Original, choose, words

_OBJECTIVES: Final = ("slos * objective", "slos * objective *", "slos * each * objective")
_CONDITIONS: Final = tuple(
    f"{where} {key} *{rest}"
    for where in ("slos *", "slos * each *", "defaults", "tiers *")
    for key in ("alerts", "budget_alerts")
    for rest in ("", " *", " when", " * when")
)
_EXPRESSIONS: Final = (*_OBJECTIVES, *_CONDITIONS)
_DURATIONS: Final = (
    "step",
    "defaults window",
    "slos * window",
    "slos * sli every",
    "slos * sli under",
    "slos * sli within",
    "severities * respond_within",
    "severities * repeat every",
    "severities * escalate * after",
    "incidents updates_every",
    "budget_reset * window",
    "dashboards * rows * *",
)
_SHARES: Final = (
    "incidents classify_by_daily_budget *",
    "incidents postmortem_above",
    "budget_policy * remaining",
    "budget_policy * spent_by_deploy",
)
_PREDICATES: Final = tuple(f"slos * sli {key}{rest}" for key in ("good", "bad", "exclude") for rest in ("", " *"))
_ENUMERATED: Final = (
    "version",
    "channels * type",
    "pollers * type",
    "about review every",
    "about review then",
    "about review * every",
    "reports * every",
    "reports * compare",
    "budget_reset * every",
    "slos * evaluate",
    "slos * no_data",
    "slos * sli period",
    "slos * window",
    "slos * budget_alerts",
    "defaults budget_alerts",
    "budget_requests",
    "audit snapshot",
    "audit events *",
)
_NUMBER: Final = r"(?<![\w.])[0-9]+(?:\.[0-9]+)?"
_DURATION: Final = re.compile(rf"({_NUMBER})(ms|s|m|h|d)\b")
_PERCENT: Final = re.compile(rf"({_NUMBER})(%)")
_SIZE: Final = re.compile(rf"({_NUMBER})([kMG]B)\b")
_WRONG_DURATIONS: Final = ("dayz", "furlongs", "", " min", "sec", "M", "µs", "w", "y", "hh", " hours")
_WRONG_PERCENTS: Final = ("", " percent", "‰", "%%", "pct", "％")
_WRONG_SIZES: Final = ("mb", "Mb", " megs", "KB", "MBs")
_COMPARISON: Final = re.compile(r"\s*[<>]=?\s*")
_OUTCOMES: Final = words("success rejected error exception timeout cancelled")
_FIRST: Final = words(
    "error_rate excluded users_affected off_target failures events any missed value age outage down sli budget"
    " burns burn mean max"
)


def _match(
    original: Original, dice: random.Random, *wanted: tuple[re.Pattern[str], tuple[str, ...]]
) -> Mutant | None:
    """One match of the patterns in one of the places; the second group is replaced by one of the words."""
    places = original.texts_at((*_EXPRESSIONS, *_DURATIONS, *_SHARES))
    found = [
        (match.start(2) + one.start, match.end(2) + one.start, wrong)
        for one in places
        for pattern, wrong in wanted
        for match in pattern.finditer(original.text[one.start : one.end])
    ]
    picked = choose(dice, found)
    return None if picked is None else original.edit(picked[0], picked[1], dice.choice(picked[2]))


def wrong_unit(original: Original, dice: random.Random) -> Mutant | None:
    """A unit of time, share or size becomes one the language does not have, or none. The error stands there."""
    return _match(original, dice, (_DURATION, _WRONG_DURATIONS), (_PERCENT, _WRONG_PERCENTS), (_SIZE, _WRONG_SIZES))


_RANGES: Final = (
    (_OBJECTIVES, re.compile(rf"^({_NUMBER}%)"), ("0%", "100.1%", "101%", "-1%", "1e2%", "99,5%", "٩٩%")),
    (_EXPRESSIONS, re.compile(r"\b(p[0-9.]+)\b"), ("p0", "p100", "p-5", "p101", "p", "p1e1")),
    (_DURATIONS[:-1], re.compile(rf"^({_NUMBER}(?:ms|s|m|h|d))"), ("0s", "-5m", "0.0000001ms", "1e3s", "٥m")),
    (
        _CONDITIONS,
        re.compile(rf"(?<=[<>] )({_NUMBER})(?= in )"),
        ("-10", "1.5", "1e3", "ten", "1_000", "9" * 30),
    ),
    (_CONDITIONS, re.compile(rf"(?:over|for|in) ({_NUMBER}(?:ms|s|m|h|d))"), ("0s", "-5m", "0m", "1e3s")),
    (_CONDITIONS, re.compile(rf"error_rate > ({_NUMBER}%)"), ("101%", "-1%", "1000000%")),
    (("slos * min_events", "defaults min_events"), re.compile(r"^([0-9]+)"), ("0", "-1", "1.5", "1e3", "٣", "1_0")),
)


def out_of_range(original: Original, dice: random.Random) -> Mutant | None:
    """A number is zero, negative, too large, or no number of the language. The error stands there."""
    found = [
        (one.start + match.start(1), one.start + match.end(1), numbers)
        for patterns, pattern, numbers in _RANGES
        for one in original.texts_at(patterns)
        for match in pattern.finditer(original.text[one.start : one.end])
    ]
    picked = choose(dice, found)
    return None if picked is None else original.edit(picked[0], picked[1], dice.choice(picked[2]))


def misspell_word(original: Original, dice: random.Random) -> Mutant | None:
    """A word of the language gets a typing slip. The error stands there."""
    picked = choose(dice, tuple(_words(original)))
    if picked is None:
        return None
    start, word = picked
    slipped = slip(word, dice)
    return None if slipped in _OUTCOMES | _FIRST | {word} else original.edit(start, start + len(word), slipped)


def _words(original: Original) -> Iterator[tuple[int, str]]:
    for one in original.texts_at(_ENUMERATED):
        if not one.text[:1].isdigit() and "(" not in one.text:
            yield one.start + one.quoted, one.text
    for one in original.texts_at(_PREDICATES):
        for found in re.finditer(r"(?<![\w=.\-'])[a-z]+(?![\w=.\-])", one.text):
            if found[0] in _OUTCOMES and not one.quoted:
                yield one.start + found.start(), found[0]
    for one in original.texts_at(_EXPRESSIONS):
        first = one.text.split()[0]
        if first in _FIRST and not one.quoted:
            yield one.start, first


def break_expression(original: Original, dice: random.Random) -> Mutant | None:
    """A comparison is missing or is none of the language, or a word too many follows. The error stands there."""
    one = choose(dice, original.texts_at(_EXPRESSIONS))
    if one is None or one.quoted:
        return None
    found = _COMPARISON.search(original.text, one.start, one.end)
    if found is not None and dice.random() < 0.7:
        wrong = dice.choice((" ", " => ", " == ", " =< ", " ≥ ", " <> ", " >> ", " < < ", " != "))
        return original.edit(found.start(), found.end(), wrong)
    if one.text.split()[0] in ("any", "events"):
        return None
    return original.edit(one.end, one.end, dice.choice((" foo", " over", " for", " <", " of", " 5m 5m", " p95")))
