"""`names:` and `attributes:` of the file: what existing code and documents call things, mapped to ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from slo_otel.plan import (
    AnyEvent,
    AttributeTest,
    Condition,
    Events,
    HttpTerm,
    Match,
    NameTerm,
    Predicate,
    Term,
    Where,
)
from slo_otel.policy._model import Policy
from slo_otel.policy._model_fields import Frozen


@dataclass(frozen=True, slots=True)
class Aliases:
    """Both maps, applied to the values of the plan. What is not mapped stays as it is."""

    names: Frozen[str]
    attributes: Frozen[str]

    @classmethod
    def of(cls, policy: Policy) -> Aliases:
        """Those of one file."""
        return cls(policy.names, policy.attributes)

    def name(self, name: str) -> str:
        """The name of an event."""
        return self.names.get(name, name)

    def attribute(self, name: str) -> str:
        """The name of an attribute."""
        return self.attributes.get(name, name)

    def dimensions(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names of attributes, each once, in order."""
        return tuple(dict.fromkeys(map(self.attribute, names)))

    def match(self, match: Match) -> Match:
        """A match whose names are ours; a name mapped to `http` is every request."""
        return Match(tuple(map(self._term, match.terms)), tuple(map(self._term, match.excepted)))

    def _term(self, term: Term) -> Term:
        if not isinstance(term, NameTerm):
            return term
        name = self.name(term.name)
        return HttpTerm() if name == "http" else NameTerm(name)

    def predicate(self, predicate: Predicate) -> Predicate:
        """A predicate whose attributes are ours."""
        return Predicate(
            tuple(
                replace(clause, attributes=tuple(map(self._test, clause.attributes)))
                for clause in predicate.clauses
            )
        )

    def _test(self, test: AttributeTest) -> AttributeTest:
        return replace(test, name=self.attribute(test.name))

    def where(self, where: Where) -> Where:
        """A `where` whose attributes are ours."""
        return Where(tuple((self.attribute(name), values) for name, values in where.tests))

    def condition(self, condition: Condition) -> Condition:
        """A condition whose event is ours."""
        if isinstance(condition, Events | AnyEvent) and condition.name is not None:
            return replace(condition, name=self.name(condition.name))
        return condition
