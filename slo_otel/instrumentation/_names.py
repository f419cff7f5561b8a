"""Which names the policy knows, so that a name that nothing counts is said once."""

from __future__ import annotations

from collections.abc import Iterable

from slo_otel.errors import logger
from slo_otel.plan import AnyEvent, CountedRule, Events, Indicator, Match, NameTerm, Plan

_MOST_WARNINGS = 1000
"""Names come from code; one built from data must not grow a set without end."""


def is_name(given: object) -> bool:
    """Whether it can name an event."""
    return isinstance(given, str) and bool(given)


def known_names(plan: Plan) -> frozenset[str]:
    """Every name that a category, an SLO, an alert or `names:` of the policy mentions."""
    names = {category.name for category in plan.categories}
    names.update(plan.event_names, plan.event_names.values())
    for category in plan.categories:
        names.update(_of_match(category.match))
    for indicator in plan.indicators:
        names.update(_of_indicator(indicator))
    for slo in plan.slos:
        conditions = (alert.condition for alert in slo.alerts)
        names.update(each.name for each in conditions if isinstance(each, Events | AnyEvent) and each.name)
    return frozenset(names)


def _of_indicator(indicator: Indicator) -> Iterable[str]:
    selection = indicator.selection
    yield from _of_match(selection.match)
    for where in (selection.where, *selection.unless):
        for name, values in where.tests:
            if name in ("category", "operation"):
                yield from values
    if isinstance(indicator.rule, CountedRule):
        yield from filter(None, (indicator.rule.good, indicator.rule.bad, indicator.rule.total))


def _of_match(match: Match) -> Iterable[str]:
    return (term.name for term in match.terms + match.excepted if isinstance(term, NameTerm))


class Declared:
    """The names of one plan. An undeclared one is logged the first time code uses it."""

    def __init__(self, plan: Plan) -> None:
        self.names = known_names(plan)
        self.categories = frozenset(category.name for category in plan.categories)
        self._slos = frozenset(slo.name for slo in plan.slos)
        self._told: set[str] = set()
        self._told_slos: set[str] = set()

    def check(self, names: Iterable[str]) -> None:
        """Say of each name that no part of the policy mentions it, once."""
        for name in names:
            if name in self.names or name in self._told or len(self._told) >= _MOST_WARNINGS:
                continue
            self._told.add(name)
            logger.warning(
                "slo_otel: %r is used in code, but no category, SLO or alert of the policy mentions it; "
                "it counts for nothing. Declare it under `categories:` or correct the name.",
                name,
            )

    def check_slo(self, slo: str) -> None:
        """Say that no SLO has this name, once."""
        if slo in self._slos or slo in self._told_slos or len(self._told_slos) >= _MOST_WARNINGS:
            return
        self._told_slos.add(slo)
        logger.warning("slo_otel: budget(%r) asks for an SLO that the policy does not have", slo)
