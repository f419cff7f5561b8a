"""Back to text: a match or a predicate in one canonical spelling, which parses to the same value."""

from __future__ import annotations

import re
from typing import Final

from slo_otel.plan import (
    AttributeTest,
    Clause,
    HttpTerm,
    Match,
    NameTerm,
    OutcomeTest,
    Predicate,
    RouteTerm,
    StatusTest,
    Term,
)

_BARE: Final = re.compile(r"[^\s|=']+")


def format_terms(terms: tuple[Term, ...]) -> str:
    """`POST /orders/* | webhook`."""
    return " | ".join(map(_term, terms))


def format_match(match: Match) -> str:
    """The terms of a match, and `except` with what it leaves out (the long form of POLICY.md 3)."""
    text = format_terms(match.terms)
    return f"{text} except {format_terms(match.excepted)}" if match.excepted else text


def _term(term: Term) -> str:
    match term:
        case HttpTerm():
            return "http"
        case RouteTerm(method, segments):
            path = "/" + "/".join(segments)
            return path if method is None else f"{method} {path}"
        case NameTerm(name):
            return name


def format_predicate(predicate: Predicate) -> str:
    """`4xx if reason=bad_input or exception`; empty for the predicate that never holds."""
    return " or ".join(map(_clause, predicate.clauses))


def _clause(clause: Clause) -> str:
    attributes = " and ".join(map(_attribute, clause.attributes))
    if clause.outcome is None:
        return attributes
    outcome = _outcome(clause.outcome)
    return f"{outcome} if {attributes}" if attributes else outcome


def _outcome(part: StatusTest | OutcomeTest) -> str:
    if isinstance(part, OutcomeTest):
        return part.outcome.value
    return str(part.low) if part.low == part.high else f"{part.low // 100}xx"


def _attribute(test: AttributeTest) -> str:
    values = "|".join(value if _BARE.fullmatch(value) else f"'{value}'" for value in test.values)
    return f"{test.name}{'!=' if test.negated else '='}{values}"
