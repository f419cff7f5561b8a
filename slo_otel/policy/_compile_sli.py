"""From one SLI entry and variant to its indicator: which events, judged how, under which fingerprint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from slo_otel.plan import (
    Category,
    Clause,
    CountedRule,
    Form,
    Indicator,
    LatencyObjective,
    LatencyRule,
    Match,
    NameTerm,
    NoRule,
    Outcome,
    OutcomeTest,
    Percentile,
    Predicate,
    RatioRule,
    Selection,
)
from slo_otel.policy._aliases import Aliases
from slo_otel.policy._expand import Expanded
from slo_otel.policy._fingerprint import digest, fingerprint
from slo_otel.policy._model_sli import CountedSli, ErrorsSli, EventSli, LatencySli, Sli, SuccessSli
from slo_otel.units import SECOND_NS

CANCELLED_AFTER_NS: Final = 10 * SECOND_NS
"""When neither the policy nor a latency threshold says how long a client should have waited (POLICY.md 5)."""
_SUCCESS: Final = Predicate((Clause(OutcomeTest(Outcome.SUCCESS)),))


@dataclass(frozen=True, slots=True)
class SliCompiler:
    """What the SLIs of one file have in common."""

    aliases: Aliases
    categories: Mapping[str, Category]
    patience: Mapping[Match, int]
    """Per match of a latency SLI, its largest objective threshold in the file: when a cancelled request is bad."""

    @classmethod
    def of(cls, aliases: Aliases, categories: Mapping[str, Category], entries: tuple[Expanded, ...]) -> SliCompiler:
        """For the expanded entries of one file."""
        patience: dict[Match, int] = {}
        for one in entries:
            if isinstance(one.sli, LatencySli):
                match = _normal(aliases.match(one.sli.match))
                patience[match] = max(patience.get(match, 0), *_objective_thresholds(one), 0)
        return cls(aliases, categories, patience)

    def indicators(self, entries: tuple[Expanded, ...]) -> tuple[Indicator, ...]:
        """One for each entry, in order; two that are not the same never share a fingerprint."""
        found: list[Indicator] = []
        for one in entries:
            found.append(_apart(self._indicator(one), found))
        return tuple(found)

    def _indicator(self, one: Expanded) -> Indicator:
        selection = self._selection(one)
        users = getattr(one.sli, "users", None)
        per = self.aliases.dimensions(one.per)
        return Indicator(
            name=one.name,
            form=one.sli.form,
            selection=selection,
            rule=self._rule(one),
            fingerprint=fingerprint(one, selection, self.aliases, self.categories),
            per=per,
            keep=tuple(name for name in self.aliases.dimensions(one.keep) if name not in per),
            thresholds=_thresholds(one),
            users=None if users is None else self.aliases.attribute(users),
            websocket=bool(getattr(one.sli, "websocket", False)),
        )

    def _selection(self, one: Expanded) -> Selection:
        where, unless = self.aliases.where(one.where), tuple(map(self.aliases.where, one.unless))
        return Selection(self.aliases.match(_match(one.sli)), where, tuple(dict.fromkeys(unless)))

    def _rule(self, one: Expanded) -> RatioRule | CountedRule | LatencyRule | NoRule:
        match one.sli:
            case SuccessSli(good=predicate) | ErrorsSli(bad=predicate):
                return self._ratio(one.sli, predicate)
            case CountedSli():
                return self._counted(one.sli)
            case LatencySli():
                return self._latency(one, one.sli)
            case _:
                return NoRule(one.sli.form)

    def _ratio(self, sli: SuccessSli | ErrorsSli, predicate: Predicate | None) -> RatioRule:
        waited = self.patience.get(_normal(self.aliases.match(sli.match)), 0)
        return RatioRule(
            form=sli.form,
            predicate=None if predicate is None else self.aliases.predicate(predicate),
            exclude=self.aliases.predicate(sli.exclude),
            cancelled_after_ns=sli.cancelled or waited or CANCELLED_AFTER_NS,
        )

    def _counted(self, sli: CountedSli) -> CountedRule:
        good, bad, total = (None if name is None else self.aliases.name(name) for name in _parts(sli))
        return CountedRule(sli.tallying, good, bad, total, self.aliases.predicate(sli.exclude))

    def _latency(self, one: Expanded, sli: LatencySli) -> LatencyRule:
        waited = max(_objective_thresholds(one), default=0)
        return LatencyRule(
            only=_SUCCESS if sli.only == "success" else None,
            until_first_byte=True if sli.until == "first_byte" else None,
            cancelled_after_ns=sli.cancelled or waited or CANCELLED_AFTER_NS,
            exclude=self.aliases.predicate(sli.exclude),
        )


def _match(sli: Sli) -> Match:
    match sli:
        case SuccessSli() | ErrorsSli() | LatencySli():
            return sli.match
        case CountedSli():
            return Match(tuple(NameTerm(name) for name in _parts(sli) if name is not None))
        case EventSli(event=name):
            return Match((NameTerm(name),))
        case _:
            return Match(())


def _parts(sli: CountedSli) -> tuple[str | None, str | None, str | None]:
    return sli.good, sli.bad, sli.total


def _normal(match: Match) -> Match:
    """The same match whatever the order of its terms."""
    return Match(tuple(sorted(match.terms, key=repr)), tuple(sorted(match.excepted, key=repr)))


def _objective_thresholds(one: Expanded) -> tuple[int, ...]:
    written = (level.objective.value for level in one.levels if level.objective is not None)
    return tuple(objective.under_ns for objective in written if isinstance(objective, LatencyObjective))


def _thresholds(one: Expanded) -> tuple[int, ...]:
    """Every threshold of a latency SLI's objectives and alerts: each becomes a bucket boundary (POLICY.md 5)."""
    if one.sli.form is not Form.LATENCY:
        return ()
    return tuple(sorted({*_objective_thresholds(one), *_alert_thresholds(one)}))


def _alert_thresholds(one: Expanded) -> Iterator[int]:
    for level in one.levels:
        for alert in level.alerts:
            condition = alert.entry.when.value
            if isinstance(condition, Percentile):
                yield condition.threshold_ns


def _apart(indicator: Indicator, before: list[Indicator]) -> Indicator:
    """With a fingerprint of its own, unless an earlier one counts exactly the same events in the same way.

    Two entries may ask for one SLI with different `keep`, or judge a cancellation by different thresholds; under
    one fingerprint the ledger would add their counts up.
    """
    same = [one for one in before if one.fingerprint == indicator.fingerprint]
    if not same or any(_counts_alike(one, indicator) for one in same):
        return indicator
    at = 2
    while any(one.fingerprint == digest(f"{indicator.fingerprint} {at}") for one in before):
        at += 1
    return replace(indicator, fingerprint=digest(f"{indicator.fingerprint} {at}"))


def _counts_alike(one: Indicator, other: Indicator) -> bool:
    return replace(one, name="", thresholds=()) == replace(other, name="", thresholds=())
