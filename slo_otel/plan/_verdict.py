"""What one event means to each SLO: decided once for a series, when its cell is made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from slo_otel.plan._events import CellKey, Kind, Outcome, Overrule, value_of, values_of
from slo_otel.plan._predicate import WITHOUT_ANSWER, Clause, OutcomeTest, Predicate, StatusTest, unanswered
from slo_otel.plan._slo import (
    CountedRule,
    Form,
    Indicator,
    LatencyRule,
    Measure,
    NoRule,
    Plan,
    RatioRule,
    Selection,
    Tallying,
    Where,
)
from slo_otel.units import seconds


class Verdict(StrEnum):
    """What an event means to one SLO."""

    GOOD = "good"
    BAD = "bad"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Fixed:
    """Every event of the series has this verdict.

    `total` is for SLIs given as (good, total) or (bad, total): the event also, or with no verdict only, counts
    towards the total.
    """

    verdict: Verdict | None
    total: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """The duration decides: `below` up to and including `at_ns`, `above` beyond.

    `first_byte` takes the time to the first byte instead of the whole duration.
    """

    at_ns: int
    below: Verdict
    above: Verdict
    first_byte: bool = False


Ruling: TypeAlias = Fixed | Split


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a series means to one measure, and to which of the measure's series it adds."""

    indicator: str
    """`Indicator.name`."""
    measure: Measure
    group: tuple[tuple[str, str], ...]
    """The indicator's `per` and `keep` attributes with their values, in that order."""
    ruling: Ruling


_GOOD_HTTP = Predicate((Clause(StatusTest(200, 299)),))
_GOOD_OTHER = Predicate((Clause(OutcomeTest(Outcome.SUCCESS)),))
_BAD_HTTP = Predicate((Clause(StatusTest(500, 599)),))
"""Also an exception and a timeout: what was never answered is a 5xx."""
_BAD_OTHER = Predicate((Clause(OutcomeTest(Outcome.ERROR)),))


def judge(plan: Plan, key: CellKey) -> tuple[Judgement, ...]:
    """Every measure that counts events of this series, in the order of the plan."""
    return tuple(
        Judgement(indicator.name, measure, _group(plan, indicator, key), ruling)
        for indicator in plan.indicators
        if _selected(indicator, key)
        for measure, ruling in _rulings(plan, indicator, key)
    )


def ruled(ruling: Ruling, duration: float | None, first_byte: float | None = None) -> Verdict | None:
    """What a ruling says of one event that took so long (seconds); a first byte that never came is above all."""
    if isinstance(ruling, Fixed):
        return ruling.verdict
    value = first_byte if ruling.first_byte else duration
    return ruling.below if value is not None and value <= seconds(ruling.at_ns) else ruling.above


def fails(plan: Plan, indicator: Indicator, key: CellKey) -> bool:
    """Whether a ratio indicator calls an inner event of its category bad, whatever its `where` selects."""
    rule = indicator.rule
    return isinstance(rule, RatioRule) and _ratio(plan, rule, indicator.name, key) == Fixed(Verdict.BAD)


def names_through(selection: Selection, key: CellKey) -> frozenset[str]:
    """The names of the event through which an indicator counts it, its `where: {category: …}` included."""
    wheres = {value for name, values in selection.where.tests if name == "category" for value in values}
    return selection.match.names_through(key) | wheres.intersection(key.names)


def _group(plan: Plan, indicator: Indicator, key: CellKey) -> tuple[tuple[str, str], ...]:
    return tuple((name, _group_value(plan, name, key)) for name in indicator.dims)


def _group_value(plan: Plan, name: str, key: CellKey) -> str:
    """The value of one dimension. As a category counts what is declared, not every name that code gave."""
    if name != "category":
        return value_of(key, name)
    declared = {category.name for category in plan.categories}
    return value_of(key._replace(names=tuple(one for one in key.names if one in declared)), name)


def _selected(indicator: Indicator, key: CellKey) -> bool:
    if indicator.name in key.absorbed or (key.kind is Kind.WEBSOCKET and not indicator.websocket):
        return False
    selection = indicator.selection
    return (
        selection.match.matches(key)
        and _where_holds(selection.where, key)
        and not any(_where_holds(variant, key) for variant in selection.unless)
    )


def _where_holds(where: Where, key: CellKey) -> bool:
    return all(any(value in allowed for value in values_of(key, name)) for name, allowed in where.tests)


def _rulings(plan: Plan, indicator: Indicator, key: CellKey) -> tuple[tuple[Measure, Ruling], ...]:
    rule = indicator.rule
    if isinstance(rule, LatencyRule):
        return _latency(plan, rule, indicator, key)
    found = _whole(plan, rule, indicator.name, key)
    return () if found is None else ((Measure(indicator.fingerprint), found),)


def _whole(plan: Plan, rule: RatioRule | CountedRule | NoRule, indicator: str, key: CellKey) -> Ruling | None:
    match rule:
        case RatioRule():
            return _ratio(plan, rule, indicator, key)
        case CountedRule():
            return _counted(plan, rule, key)
        case NoRule(form):
            return Fixed(None, total=True) if form is Form.EVENT else None


def _synthetic(plan: Plan, key: CellKey) -> bool:
    return plan.synthetic.matches(key) or any(
        category.synthetic and category.name in key.names for category in plan.categories
    )


def _left_out(plan: Plan, exclude: Predicate, key: CellKey) -> bool:
    """Not counted: test traffic, what code excluded, or what the policy excludes; code has the last word."""
    overruled = _overruled(key)
    if _synthetic(plan, key) or overruled is Verdict.EXCLUDED:
        return True
    return overruled is None and exclude.matches(key)


def _ratio(plan: Plan, rule: RatioRule, indicator: str, key: CellKey) -> Ruling:
    if _left_out(plan, rule.exclude, key):
        return Fixed(Verdict.EXCLUDED)
    if (overruled := _overruled(key)) is not None:
        return Fixed(overruled)
    if _client_left(key):
        return _cancelled(rule, key)
    nested = indicator in key.nested_bad
    return Fixed(Verdict.BAD if nested or not _good(rule, key) else Verdict.GOOD)


def _overruled(key: CellKey) -> Verdict | None:
    """Code's own word: it overrules an answer, and only `bad()` overrules what was never answered."""
    if key.overrule is None or (key.outcome in WITHOUT_ANSWER and key.overrule is not Overrule.BAD):
        return None
    return Verdict(key.overrule.value)


def _client_left(key: CellKey) -> bool:
    return key.outcome is Outcome.CANCELLED and not key.by_server


def _cancelled(rule: RatioRule, key: CellKey) -> Ruling:
    """A client that left: the policy's word `cancelled`, else bad once the time was up, excluded before."""
    if rule.predicate is not None and rule.predicate.says(Outcome.CANCELLED, key):
        return Fixed(Verdict.GOOD if rule.form is Form.SUCCESS else Verdict.BAD)
    return Split(rule.cancelled_after_ns, Verdict.EXCLUDED, Verdict.BAD)


def _good(rule: RatioRule, key: CellKey) -> bool:
    """By the predicate. What was cut off (a timeout, a server's cancellation) is bad in both forms (POLICY.md 5);
    an exception is never good, and bad where the predicate covers it: `5xx` does, whatever status was sent."""
    http = key.kind is Kind.HTTP
    if rule.form is Form.SUCCESS:
        good = rule.predicate or (_GOOD_HTTP if http else _GOOD_OTHER)
        return good.matches(key) and not unanswered(key)
    bad = rule.predicate or (_BAD_HTTP if http else _BAD_OTHER)
    return not bad.matches(key) and not _cut_off(key)


def _cut_off(key: CellKey) -> bool:
    return key.outcome is Outcome.TIMEOUT or (key.outcome is Outcome.CANCELLED and key.by_server)


def _counted(plan: Plan, rule: CountedRule, key: CellKey) -> Ruling | None:
    """By the two names. Valid are `total - excluded`: an exclusion takes the event out of both (POLICY.md 5)."""
    total = rule.tallying is not Tallying.GOOD_BAD and rule.total in key.names
    verdict = _named(rule, key)
    if verdict is None and not total:
        return None
    if _left_out(plan, rule.exclude, key):
        return Fixed(Verdict.EXCLUDED, total) if total or _leaves(plan, rule, key) else None
    if verdict is not None and (overruled := _overruled(key)) is not None:
        return Fixed(overruled, total)
    return Fixed(verdict, total)


def _leaves(plan: Plan, rule: CountedRule, key: CellKey) -> bool:
    """Whether the exclusion of a good or bad event also leaves the total, where another event counts that.

    It does where the exclusion says how it ended (`reason`, an outcome, code's own word): the event of the total
    came before that was known. What the total's event carries as well (`synthetic`, a tenant) left with it.
    """
    if rule.tallying is Tallying.GOOD_BAD:
        return True
    if _synthetic(plan, key):
        return False
    ended = (clause for clause in rule.exclude.clauses if _says_how_it_ended(clause) and clause.holds(key))
    return key.overrule is Overrule.EXCLUDED or any(ended)


def _says_how_it_ended(clause: Clause) -> bool:
    return clause.outcome is not None or any(test.name == "reason" for test in clause.attributes)


def _named(rule: CountedRule, key: CellKey) -> Verdict | None:
    if rule.bad is not None and rule.bad in key.names:
        return Verdict.BAD
    return Verdict.GOOD if rule.good is not None and rule.good in key.names else None


def _latency(
    plan: Plan, rule: LatencyRule, indicator: Indicator, key: CellKey
) -> tuple[tuple[Measure, Ruling], ...]:
    if key.kind is Kind.COUNT or not _wanted(rule, key):
        return ()
    whole = _latency_whole(plan, rule, key)
    if not indicator.thresholds:
        return ((Measure(indicator.fingerprint), whole or Fixed(Verdict.GOOD)),)
    first_byte = _to_first_byte(rule, key)
    return tuple(
        (
            Measure(indicator.fingerprint, threshold),
            whole or Split(threshold, Verdict.GOOD, Verdict.BAD, first_byte),
        )
        for threshold in indicator.thresholds
    )


def _wanted(rule: LatencyRule, key: CellKey) -> bool:
    """`only: success` is what the `success` form calls good by default (DESIGN.md 3): `2xx` of a request."""
    if rule.only == _GOOD_OTHER and key.kind is Kind.HTTP:
        return _GOOD_HTTP.matches(key)
    return rule.only is None or rule.only.matches(key)


def _to_first_byte(rule: LatencyRule, key: CellKey) -> bool:
    return key.event_stream if rule.until_first_byte is None else rule.until_first_byte


def _latency_whole(plan: Plan, rule: LatencyRule, key: CellKey) -> Ruling | None:
    """What is decided once for the whole SLO: exclusions, cancellations and time-outs.

    A client that leaves after the first byte changes nothing where that is what is timed: a stream mostly ends so.
    """
    excluded_by_code = key.overrule is Overrule.EXCLUDED and key.outcome not in WITHOUT_ANSWER
    if _synthetic(plan, key) or excluded_by_code or rule.exclude.matches(key):
        return Fixed(Verdict.EXCLUDED)
    if _client_left(key):
        answered = _to_first_byte(rule, key) and key.status is not None
        return None if answered else Split(rule.cancelled_after_ns, Verdict.EXCLUDED, Verdict.BAD)
    return Fixed(Verdict.BAD) if _cut_off(key) else None
