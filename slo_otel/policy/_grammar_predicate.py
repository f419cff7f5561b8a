"""`pred` of the grammar: `4xx if reason=bad_input or exception`."""

from __future__ import annotations

import re
from typing import Final

from slo_otel.plan import AttributeTest, Clause, Outcome, OutcomeTest, Predicate, StatusTest
from slo_otel.policy._grammar_scan import NAME, Scanner, nearest

_STATUS: Final = re.compile(r"([1-9])([0-9]{2}|xx)(?![\w.\-])")
_ATTRIBUTE: Final = re.compile(rf"({NAME})(!=|=)")
_LOOSE_ATTRIBUTE: Final = re.compile(rf"{NAME}\s*!?=")
_VALUE: Final = re.compile(r"'([^']*)'|([^\s|=']+(?:'[^\s|=']*)*)")
_WORDS: Final = tuple(outcome.value for outcome in Outcome)
_MAY_FOLLOW: Final = "clauses are joined by ' or ', attributes by ' and ', an outcome and its attributes by ' if '"


def parse_predicate(text: str) -> Predicate:
    """`2xx or 3xx`, `401 if reason=wrong_password`, `plan!=free|trial`. Raises `GrammarError`."""
    scanner = Scanner(text)
    clauses = [_clause(scanner)]
    while scanner.word("or"):
        clauses.append(_clause(scanner))
    scanner.finish(_MAY_FOLLOW)
    return Predicate(tuple(clauses))


def _clause(scanner: Scanner) -> Clause:
    if scanner.starts(_LOOSE_ATTRIBUTE):
        return Clause(None, _attributes(scanner))
    outcome = _outcome(scanner)
    return Clause(outcome, _attributes(scanner) if scanner.word("if") else ())


def _outcome(scanner: Scanner) -> StatusTest | OutcomeTest:
    if status := scanner.take(_STATUS):
        return _status(status[1], status[2])
    start = scanner.at
    word = scanner.name("an outcome such as 5xx or error, or an attribute such as reason=x")
    if word not in _WORDS:
        fix = nearest(word, (*_WORDS, *(f"{digit}xx" for digit in range(1, 6))))
        scanner.fail(f"{word!r} is no outcome", fix, start)
    return OutcomeTest(Outcome(word))


def _status(digit: str, rest: str) -> StatusTest:
    low = int(digit) * 100
    if rest == "xx":
        return StatusTest(low, low + 99)
    return StatusTest(low + int(rest), low + int(rest))


def _attributes(scanner: Scanner) -> tuple[AttributeTest, ...]:
    tests = [_attribute(scanner)]
    while scanner.word("and"):
        tests.append(_attribute(scanner))
    return tuple(tests)


def _attribute(scanner: Scanner) -> AttributeTest:
    found = _ATTRIBUTE.match(scanner.text, scanner.at)
    if found is None:
        scanner.fail(
            f"expected an attribute, found {scanner.found()}", "write name=value or name!=value, without spaces"
        )
    scanner.at = found.end()
    values = [_value(scanner)]
    while scanner.text.startswith("|", scanner.at):
        scanner.at += 1
        values.append(_value(scanner))
    scanner.skip()
    return AttributeTest(found[1], tuple(values), negated=found[2] == "!=")


def _value(scanner: Scanner) -> str:
    """One VALUE. It is read where it stands, since a space ends it."""
    found = _VALUE.match(scanner.text, scanner.at)
    if found is None:
        scanner.fail("expected a value", "write it without spaces, '|' and '=', or in quotes: reason='no money'")
    scanner.at = found.end()
    return found[2] if found[1] is None else found[1]
