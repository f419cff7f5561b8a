"""Predicates of the grammar, compiled: `4xx if reason=bad_input or exception`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from slo_otel.plan._events import CellKey, Kind, Outcome, values_of

_FAILED = frozenset({Outcome.ERROR, Outcome.EXCEPTION, Outcome.TIMEOUT})
WITHOUT_ANSWER = frozenset({Outcome.EXCEPTION, Outcome.TIMEOUT, Outcome.CANCELLED})
"""What ended without an answer of the application's own, whatever status was sent before."""
_CLASS_OUTCOME = {2: Outcome.SUCCESS, 3: Outcome.SUCCESS, 4: Outcome.REJECTED, 5: Outcome.ERROR}


@dataclass(frozen=True, slots=True)
class StatusTest:
    """`503` (low == high) or `5xx` (500 to 599)."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class OutcomeTest:
    """`success`, `rejected`, `error` (also exception, timeout and a server's cancellation), …"""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """`name = value|value` or its negation."""

    name: str
    values: tuple[str, ...]
    negated: bool = False


OutcomePart: TypeAlias = StatusTest | OutcomeTest | None


@dataclass(frozen=True, slots=True)
class Clause:
    """An outcome and attributes that all hold."""

    outcome: OutcomePart
    attributes: tuple[AttributeTest, ...] = ()

    def holds(self, key: CellKey) -> bool:
        """Whether the event has this outcome and these attributes."""
        return _outcome_holds(self.outcome, key) and all(_attribute_holds(test, key) for test in self.attributes)


@dataclass(frozen=True, slots=True)
class Predicate:
    """Any of the clauses. Without clauses it never holds."""

    clauses: tuple[Clause, ...] = ()

    def matches(self, key: CellKey) -> bool:
        """Whether the event satisfies the predicate."""
        return any(clause.holds(key) for clause in self.clauses)

    def says(self, outcome: Outcome, key: CellKey) -> bool:
        """Whether a clause that holds names this very outcome, so that the policy and no default decides it."""
        return any(clause.outcome == OutcomeTest(outcome) and clause.holds(key) for clause in self.clauses)


def unanswered(key: CellKey) -> bool:
    """An exception, a timeout or a server's cancellation: bad whatever status was sent before (DESIGN.md 3)."""
    return failed(key) and key.outcome is not Outcome.ERROR


def failed(key: CellKey) -> bool:
    """What the word `error` means: an error, an exception, a timeout or a server's cancellation."""
    return key.outcome in _FAILED or (key.outcome is Outcome.CANCELLED and key.by_server)


def _outcome_holds(part: OutcomePart, key: CellKey) -> bool:
    match part:
        case None:
            return True
        case StatusTest(low, high):
            return _status_holds(low, high, key)
        case OutcomeTest(Outcome.ERROR):
            return failed(key)
        case OutcomeTest(outcome):
            return key.outcome is outcome


def _status_holds(low: int, high: int, key: CellKey) -> bool:
    """An answer by its number; what was never answered as a 5xx; an operation by what its class means to it."""
    if key.outcome in WITHOUT_ANSWER:
        return failed(key) and low <= 500 <= high
    if key.kind is Kind.HTTP:
        return key.status is not None and low <= key.status <= high
    return high - low == 99 and key.outcome is _CLASS_OUTCOME.get(low // 100)


def _attribute_holds(test: AttributeTest, key: CellKey) -> bool:
    return any(value in test.values for value in values_of(key, test.name)) is not test.negated
