"""Plans of one indicator and the keys of events: the smallest things a verdict is made from."""

from __future__ import annotations

from typing import Any

from slo_otel.plan import (
    SLO,
    Category,
    CellKey,
    CountedRule,
    Fixed,
    Form,
    HttpTerm,
    Indicator,
    Kind,
    LatencyRule,
    Match,
    NameTerm,
    NoRule,
    Occurrences,
    Outcome,
    Plan,
    Predicate,
    RatioRule,
    Ruling,
    Selection,
    Split,
    Verdict,
    judge,
)
from slo_otel.policy._grammar import parse_predicate
from slo_otel.units import DAY_NS, SECOND_NS, Rolling

NEVER = Predicate()
HTTP = Selection(Match((HttpTerm(),)))
ANY = Selection(Match((HttpTerm(), NameTerm("work"))))
GOOD, BAD, EXCLUDED = Fixed(Verdict.GOOD), Fixed(Verdict.BAD), Fixed(Verdict.EXCLUDED)
LEFT = Split(10 * SECOND_NS, Verdict.EXCLUDED, Verdict.BAD)
"""What a client that went away means to a ratio: excluded at first, bad after ten seconds."""

Rule = RatioRule | CountedRule | LatencyRule | NoRule


def predicate(text: str | None) -> Predicate | None:
    """A predicate of the grammar; None for the form's default."""
    return None if text is None else parse_predicate(text)


def success(good: str | None = None, exclude: str | None = None) -> RatioRule:
    """The `success` form."""
    return RatioRule(Form.SUCCESS, predicate(good), predicate(exclude) or Predicate())


def errors(bad: str | None = None, exclude: str | None = None) -> RatioRule:
    """The `errors` form."""
    return RatioRule(Form.ERRORS, predicate(bad), predicate(exclude) or Predicate())


def indicator(
    rule: Rule,
    selection: Selection = ANY,
    *,
    name: str = "one",
    per: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    thresholds: tuple[int, ...] = (),
    websocket: bool = False,
) -> Indicator:
    """An indicator whose fingerprint is its name."""
    form = rule.form if isinstance(rule, RatioRule | NoRule) else _form(rule)
    return Indicator(name, form, selection, rule, name, per, keep, thresholds, None, websocket)


def _form(rule: CountedRule | LatencyRule) -> Form:
    return Form.COUNTED if isinstance(rule, CountedRule) else Form.LATENCY


def plan_of(
    *indicators: Indicator,
    categories: tuple[Category, ...] = (),
    synthetic: Predicate = NEVER,
    names: dict[str, str] | None = None,
) -> Plan:
    """A plan with one SLO without an objective for each indicator."""
    slos = tuple(
        SLO(one.name, one.name, one, None, Rolling(DAY_NS), Occurrences(), min_events=1, min_failures=1)
        for one in indicators
    )
    return Plan(
        "service", 15 * SECOND_NS, slos, categories=categories, synthetic=synthetic, event_names=names or {}
    )


def ruling(rule: Rule, key: CellKey, selection: Selection = ANY, synthetic: Predicate = NEVER) -> Ruling | None:
    """What the event means to one indicator; None when it is none of its events."""
    found = judge(plan_of(indicator(rule, selection), synthetic=synthetic), key)
    return found[0].ruling if found else None


def http(status: int | None = 200, outcome: Outcome | None = None, **fields: Any) -> CellKey:
    """A request. Its outcome follows from the status unless it is given."""
    key = CellKey(Kind.HTTP, method="GET", route="/a", status=status, outcome=outcome or _answered(status))
    return key._replace(**fields)


def _answered(status: int | None) -> Outcome:
    if status is None or status < 400:
        return Outcome.SUCCESS
    return Outcome.REJECTED if status < 500 else Outcome.ERROR


def operation(outcome: Outcome = Outcome.SUCCESS, **fields: Any) -> CellKey:
    """A tracked call named `work`."""
    return CellKey(Kind.OPERATION, ("work",), operation="work", outcome=outcome)._replace(**fields)


def count(*names: str, **fields: Any) -> CellKey:
    """A counted domain outcome."""
    return CellKey(Kind.COUNT, tuple(sorted(names)))._replace(**fields)
