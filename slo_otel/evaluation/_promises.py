"""What of an SLO does not depend on the moment: worked out once for a plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from slo_otel.evaluation._budget import ErrorBudget, Sample
from slo_otel.evaluation._text import objective_text
from slo_otel.plan import SLO, CountedRule, Form, Measure, NoRule, Occurrences, Plan, Tallying
from slo_otel.units import Window, format_percent


@dataclass(frozen=True, slots=True)
class Promise:
    """One SLO as the evaluation reads it."""

    name: str
    entry: str
    measure: Measure
    dims: tuple[str, ...]
    window: Window
    window_text: str
    target: str | None
    objective: str | None
    error_budget: ErrorBudget | None
    """None without an objective that has one."""
    sample: Sample
    tallying: Tallying
    counts_only: bool
    """An `event` SLI: neither good nor bad."""
    missing: tuple[str, ...]
    """What is not evaluated; not empty makes the state `unsupported`."""


@lru_cache(maxsize=8)
def promises(plan: Plan) -> tuple[Promise, ...]:
    """Every SLO of the plan, in its order."""
    return tuple(_promise(slo) for slo in plan.slos)


def _promise(slo: SLO) -> Promise:
    rule = slo.indicator.rule
    return Promise(
        name=slo.name,
        entry=slo.entry,
        measure=slo.measure,
        dims=slo.indicator.per,
        window=slo.window,
        window_text=str(slo.window),
        target=None if slo.target is None else format_percent(slo.target),
        objective=None if slo.objective is None else objective_text(slo.objective),
        error_budget=None if slo.budget_ratio is None else ErrorBudget(slo.budget_ratio, float(slo.budget_ratio)),
        sample=Sample(1, 1) if slo.target == 1 else Sample(slo.min_events, slo.min_failures),
        tallying=rule.tallying if isinstance(rule, CountedRule) else Tallying.GOOD_BAD,
        counts_only=slo.indicator.form is Form.EVENT,
        missing=_missing(slo),
    )


def _missing(slo: SLO) -> tuple[str, ...]:
    if slo.unsupported:
        return slo.unsupported
    rule = slo.indicator.rule
    if isinstance(rule, NoRule) and rule.form is not Form.EVENT:
        return (f"the SLI form {rule.form} is not evaluated",)
    if not isinstance(slo.budgeting, Occurrences):
        return ("only the budgeting method occurrences is evaluated",)
    return ()
