"""`condition` of the grammar: what an alert waits for."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final, Literal

from slo_otel.plan import (
    Age,
    AnyEvent,
    Baseline,
    BudgetShare,
    Burn,
    Burns,
    Condition,
    Down,
    ErrorRate,
    Events,
    ExcludedShare,
    Exhausts,
    Failures,
    Missed,
    NoData,
    OffTarget,
    Outage,
    Percentile,
    SliBelow,
    Trend,
    UsersAffected,
    Value,
)
from slo_otel.policy._grammar_objective import comparison
from slo_otel.policy._grammar_scan import Scanner, nearest

_TIMES: Final = re.compile(r"[0-9.]+\s*x\b")
_COMPARED: Final = re.compile(r"[<>]")
_MAY_FOLLOW: Final = (
    "a condition ends here; 'over', 'in' and 'for' stand in this order, where the condition has them"
)


def parse_condition(text: str) -> Condition:
    """`error_rate > 5% over 10m`, `failures > 10 in 10m`, `burn > 2x`. Raises `GrammarError`."""
    scanner = Scanner(text)
    condition = _condition(scanner)
    scanner.finish(_MAY_FOLLOW)
    return condition


def _condition(scanner: Scanner) -> Condition:
    share = scanner.percentile()
    if share is not None:
        return _percentile(scanner, share)
    for words, parse in _BY_WORD:
        if scanner.word(words):
            return parse(scanner)
    legal = (*(words for words, _ in _BY_WORD), "p95")
    return scanner.fail(f"{scanner.next!r} begins no condition", nearest(scanner.next, legal))


def _over_for(scanner: Scanner) -> tuple[int | None, int | None]:
    """`over D [for D]` or `for D`: at least one of them."""
    over = scanner.duration() if scanner.word("over") else None
    sustained = _optional_for(scanner)
    if over is None and sustained is None:
        scanner.fail(f"expected 'over' or 'for', found {scanner.found()}", "add over 10m or for 5m")
    return over, sustained


def _optional_for(scanner: Scanner) -> int | None:
    return scanner.duration() if scanner.word("for") else None


def _for(scanner: Scanner) -> int:
    scanner.expect("for")
    return scanner.duration()


def _in(scanner: Scanner) -> int:
    scanner.expect("in")
    return scanner.duration()


def _percentile(scanner: Scanner, share: Fraction) -> Percentile | Baseline:
    cmp = comparison(scanner)
    if scanner.starts(_TIMES):
        factor = _factor(scanner)
        scanner.expect("baseline")
        return Baseline(share, cmp, factor, *_over_for(scanner))
    return Percentile(share, cmp, scanner.duration(), *_over_for(scanner))


def _factor(scanner: Scanner) -> Fraction:
    start = scanner.at
    factor = scanner.factor()
    if factor == 0:
        scanner.fail("a factor of zero", "write a factor above zero, for example 2x", start)
    return factor


def _error_rate(scanner: Scanner) -> ErrorRate:
    return ErrorRate(comparison(scanner), scanner.share("error_rate"), *_over_for(scanner))


def _excluded(scanner: Scanner) -> ExcludedShare:
    return ExcludedShare(comparison(scanner), scanner.share("excluded"), *_over_for(scanner))


def _users(scanner: Scanner) -> UsersAffected:
    return UsersAffected(comparison(scanner), scanner.share("users_affected"), *_over_for(scanner))


def _off_target(scanner: Scanner) -> OffTarget:
    return OffTarget(*_over_for(scanner))


def _failures(scanner: Scanner) -> Failures:
    return Failures(comparison(scanner), scanner.whole(), _in(scanner))


def _events(scanner: Scanner) -> Events:
    name = None if scanner.starts(_COMPARED) else scanner.name("a comparison or the name of an event")
    return Events(name, comparison(scanner), scanner.whole(), _in(scanner))


def _any(scanner: Scanner) -> AnyEvent:
    return AnyEvent(None if scanner.ended else scanner.name("the name of an event"))


def _missed(_scanner: Scanner) -> Missed:
    return Missed()


def _value(scanner: Scanner) -> Value | Trend:
    for direction in _DIRECTIONS:
        if scanner.word(direction):
            return Trend(direction, _for(scanner))
    return Value(comparison(scanner), scanner.quantity(), _optional_for(scanner))


_DIRECTIONS: Final[tuple[Literal["rising", "falling"], ...]] = ("rising", "falling")


def _age(scanner: Scanner) -> Age:
    return Age(comparison(scanner), scanner.duration(), _optional_for(scanner))


def _outage(scanner: Scanner) -> Outage:
    sustained = _optional_for(scanner)
    in_all = scanner.name("a dimension such as region") if scanner.word("in all") else None
    return Outage(sustained, in_all)


def _down(scanner: Scanner) -> Down:
    return Down(_for(scanner))


def _no_data(scanner: Scanner) -> NoData:
    return NoData(_for(scanner))


def _sli(scanner: Scanner) -> SliBelow:
    cmp = comparison(scanner)
    ratio = None if scanner.word("objective") else scanner.share("the SLI")
    return SliBelow(cmp, ratio, _optional_for(scanner))


def _budget(scanner: Scanner) -> BudgetShare | Exhausts:
    if scanner.word("exhausts within"):
        return Exhausts(scanner.duration())
    for side in _SIDES:
        if scanner.word(side):
            return BudgetShare(side, comparison(scanner), scanner.percent())
    return scanner.fail(f"expected consumed, remaining or exhausts, found {scanner.found()}", _BUDGET_FIX)


_SIDES: Final[tuple[Literal["consumed", "remaining"], ...]] = ("consumed", "remaining")
_BUDGET_FIX: Final = "write budget consumed >= 50%, budget remaining <= 25% or budget exhausts within 24h"


def _burns(scanner: Scanner) -> Burns:
    ratio = scanner.percent()
    scanner.expect("of budget in")
    return Burns(ratio, scanner.duration())


def _burn(scanner: Scanner) -> Burn:
    cmp = comparison(scanner)
    factor = _factor(scanner)
    if not scanner.word("over"):
        return Burn(cmp, factor, None, None)
    long_ns = scanner.duration()
    scanner.expect("and")
    start = scanner.at
    short_ns = scanner.duration()
    if short_ns >= long_ns:
        scanner.fail("the second window is the short one", "write the longer window first", start)
    return Burn(cmp, factor, long_ns, short_ns)


_BY_WORD: Final[tuple[tuple[str, Callable[[Scanner], Condition]], ...]] = (
    ("error_rate", _error_rate),
    ("excluded", _excluded),
    ("users_affected", _users),
    ("off_target", _off_target),
    ("failures", _failures),
    ("events", _events),
    ("any", _any),
    ("missed", _missed),
    ("value", _value),
    ("age", _age),
    ("outage", _outage),
    ("down", _down),
    ("no data", _no_data),
    ("sli", _sli),
    ("budget", _budget),
    ("burns", _burns),
    ("burn", _burn),
)
