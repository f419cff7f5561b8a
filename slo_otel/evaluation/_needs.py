"""Which questions one evaluation asks: the compliance window and the look-back windows of every SLO."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

from slo_otel.evaluation._promises import Promise, promises
from slo_otel.evaluation._queries import Counts, Query
from slo_otel.evaluation._windows import Span, look_back, look_backs, span
from slo_otel.plan import Plan
from slo_otel.units import Window

_new: Final = tuple.__new__
"""Makes a named tuple in half of the time its own constructor, a Python function, takes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The windows of every SLO that shares a compliance window, at one moment."""

    compliance: Span
    look_backs: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One SLO, its windows, and its questions: about the compliance window first, then about the look-backs."""

    promise: Promise
    compliance: Span
    look_backs: tuple[Span, ...]
    questions: tuple[Counts, ...]


def needs(plan: Plan, now_ns: int) -> tuple[Query, ...]:
    """What `evaluate` reads at tick `now_ns`, each question once, in the order of the policy."""
    return tuple(dict.fromkeys(chain.from_iterable(one.questions for one in asked(plan, now_ns))))


@lru_cache(maxsize=1)
def asked(plan: Plan, now_ns: int) -> tuple[Asked, ...]:
    """The questions of every SLO; kept because `needs` and `evaluate` of one tick ask the same ones."""
    frames = {window: _frame(window, plan, now_ns) for window in {slo.window for slo in plan.slos}}
    return tuple(_asked(promise, frames[promise.window]) for promise in promises(plan))


def _frame(window: Window, plan: Plan, now_ns: int) -> Frame:
    backs = tuple(look_back(length, now_ns, plan.step_ns) for length in look_backs(window))
    return Frame(span(window, now_ns, plan.step_ns, plan.timezone), backs)


def _asked(promise: Promise, frame: Frame) -> Asked:
    """Nothing for what is not evaluated; look-backs only where there is a budget to burn."""
    if promise.missing:
        return Asked(promise, frame.compliance, (), ())
    measure, dims, backs = promise.measure, promise.dims, frame.look_backs
    if promise.error_budget is None:
        backs = ()
    questions = [_new(Counts, (measure, dims, start, end, ())) for start, end, _ in (frame.compliance, *backs)]
    return Asked(promise, frame.compliance, backs, tuple(questions))
