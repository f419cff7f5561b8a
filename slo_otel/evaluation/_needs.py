"""Which questions one evaluation asks: the compliance window and the look-back windows of every SLO."""

from __future__ import annotations

from dataclasses import dataclass

from slo_otel.evaluation._queries import Counts, Query
from slo_otel.evaluation._windows import Span, look_back, look_backs, span
from slo_otel.plan import SLO, Form, NoRule, Occurrences, Plan
from slo_otel.units import Window


@dataclass(frozen=True, slots=True)
class Frame:
    """The windows of every SLO that shares a compliance window, at one moment."""

    compliance: Span
    look_backs: tuple[Span, ...]


def needs(plan: Plan, now_ns: int) -> tuple[Query, ...]:
    """What `evaluate` reads at tick `now_ns`, each question once, in the order of the policy."""
    asked: dict[Query, None] = {}
    for slo, frame in framed(plan, now_ns):
        if not missing(slo):
            asked.update(dict.fromkeys(questions(slo, frame)))
    return tuple(asked)


def framed(plan: Plan, now_ns: int) -> tuple[tuple[SLO, Frame], ...]:
    """Every SLO with its windows; each distinct compliance window is laid out once."""
    frames = {window: frame_of(window, plan, now_ns) for window in {slo.window for slo in plan.slos}}
    return tuple((slo, frames[slo.window]) for slo in plan.slos)


def frame_of(window: Window, plan: Plan, now_ns: int) -> Frame:
    """The windows that an SLO with this compliance window is evaluated over."""
    backs = tuple(look_back(length, now_ns, plan.step_ns) for length in look_backs(window))
    return Frame(span(window, now_ns, plan.step_ns, plan.timezone), backs)


def questions(slo: SLO, frame: Frame) -> tuple[Counts, ...]:
    """The compliance window first, then the look-backs; these only where there is a budget to burn."""
    measure, dims = slo.measure, slo.indicator.per
    backs = () if slo.target is None else frame.look_backs
    return tuple(Counts(measure, dims, at.start_ns, at.end_ns) for at in (frame.compliance, *backs))


def missing(slo: SLO) -> tuple[str, ...]:
    """What of the SLO is not evaluated; not empty makes its state `unsupported`."""
    if slo.unsupported:
        return slo.unsupported
    rule = slo.indicator.rule
    if isinstance(rule, NoRule) and rule.form is not Form.EVENT:
        return (f"the SLI form {rule.form} is not evaluated",)
    if not isinstance(slo.budgeting, Occurrences):
        return ("only the budgeting method occurrences is evaluated",)
    return ()
