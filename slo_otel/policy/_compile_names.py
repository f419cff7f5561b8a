"""What of the file's vocabulary the record path needs: categories in order, declared attributes, named reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from slo_otel.plan import (
    AttributeTest,
    Category,
    CountedRule,
    Indicator,
    LatencyRule,
    NameTerm,
    Predicate,
    RatioRule,
    Where,
)
from slo_otel.policy._aliases import Aliases
from slo_otel.policy._model import Policy

BUILT_IN: Final = frozenset(
    {
        "category",
        "operation",
        "route",
        "method",
        "status",
        "outcome",
        "reason",
        "region",
        "environment",
        "service_version",
    }
)
"""What `per` and `where` see without code setting it (POLICY.md 4)."""


def categories_of(policy: Policy, aliases: Aliases) -> tuple[Category, ...]:
    """Every category after those it names, so that `except` can look at them (`plan.resolve`)."""
    declared = {
        name: Category(name, aliases.match(category.terms), category.synthetic)
        for name, category in policy.categories.items()
    }
    ordered: dict[str, Category] = {}
    for name in declared:
        _place(name, declared, ordered, frozenset())
    return tuple(ordered.values())


def _place(
    name: str, declared: Mapping[str, Category], ordered: dict[str, Category], above: frozenset[str]
) -> None:
    """Depth first; a circle is cut where it closes."""
    if name in ordered or name in above or name not in declared:
        return
    match = declared[name].match
    for term in (*match.terms, *match.excepted):
        if isinstance(term, NameTerm):
            _place(term.name, declared, ordered, above | {name})
    ordered[name] = declared[name]


def attributes_of(indicators: Iterable[Indicator], synthetic: Predicate) -> frozenset[str]:
    """Every attribute set by code that becomes part of a series: from `where`, `per`, `keep` and predicates.

    `users:` is not among them: it is counted, and never becomes a series (DESIGN.md 3).
    """
    named = {test.name for test in _tests(indicators, synthetic)}
    for indicator in indicators:
        named.update(indicator.dims)
        named.update(name for where in _wheres(indicator) for name, _ in where.tests)
    return frozenset(named - BUILT_IN)


def reasons_of(indicators: Iterable[Indicator], synthetic: Predicate) -> frozenset[str]:
    """Every reason that a predicate or a `where` names."""
    tested = (test.values for test in _tests(indicators, synthetic) if test.name == "reason")
    filtered = (
        values
        for indicator in indicators
        for where in _wheres(indicator)
        for name, values in where.tests
        if name == "reason"
    )
    return frozenset(value for values in (*tested, *filtered) for value in values)


def _wheres(indicator: Indicator) -> tuple[Where, ...]:
    return (indicator.selection.where, *indicator.selection.unless)


def _tests(indicators: Iterable[Indicator], synthetic: Predicate) -> Iterator[AttributeTest]:
    predicates = (synthetic, *(predicate for one in indicators for predicate in _predicates(one)))
    return (test for predicate in predicates for clause in predicate.clauses for test in clause.attributes)


def _predicates(indicator: Indicator) -> Iterator[Predicate]:
    rule = indicator.rule
    if isinstance(rule, RatioRule | CountedRule | LatencyRule):
        yield rule.exclude
    if isinstance(rule, RatioRule) and rule.predicate is not None:
        yield rule.predicate
