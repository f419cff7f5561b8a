"""Plan + answers + now -> `StatusSet`. Pure: one `now`, no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slo_otel.evaluation._budget import (
    Sample,
    budget,
    burn,
    coverage,
    derived,
    excluded_share,
    skewed,
    sli,
    state,
)
from slo_otel.evaluation._needs import Frame, framed, missing, questions
from slo_otel.evaluation._queries import Answers, Counted, Group
from slo_otel.evaluation._status import Budget, Burn, Scope, State, Status, StatusSet
from slo_otel.evaluation._text import objective_text
from slo_otel.plan import SLO, Form, Plan
from slo_otel.recorder import Tally
from slo_otel.units import format_percent

_NOTHING = Tally()

Answered = tuple[Mapping[Group, Counted], ...]
"""The answers of one SLO by group: the compliance window first, then the look-backs."""


def evaluate(plan: Plan, answers: Answers, now_ns: int, *, scope: Scope) -> StatusSet:
    """The status of every SLO and group at tick `now_ns`, in the order of the policy, groups sorted.

    `answers` must hold the answers to `needs(plan, now_ns)`; what is not in it counts as never observed. An SLO
    without `per` has exactly one status, also before its first event; one with `per` has a status for every group
    that was ever observed, and none before.
    """
    statuses = tuple(status for slo, frame in framed(plan, now_ns) for status in _slo(slo, frame, answers))
    return StatusSet(now_ns, scope, plan.service, statuses, plan.unsupported)


def _slo(slo: SLO, frame: Frame, answers: Answers) -> Iterator[Status]:
    if notes := missing(slo):
        yield _unsupported(slo, frame, notes)
        return
    asked = questions(slo, frame)
    answered = tuple(answers.counts.get(question, {}) for question in asked)
    texts = _Texts(slo)
    for group in _groups(slo, answered[0]):
        yield _group(slo, frame, texts, group, answered)


def _groups(slo: SLO, answered: Mapping[Group, Counted]) -> tuple[Group, ...]:
    return tuple(sorted(answered)) if slo.indicator.per else ((),)


class _Texts:
    """What is the same in every group of an SLO."""

    __slots__ = ("objective", "sample", "target", "window")

    def __init__(self, slo: SLO) -> None:
        self.window = str(slo.window)
        self.target = None if slo.target is None else format_percent(slo.target)
        self.objective = None if slo.objective is None else objective_text(slo.objective)
        self.sample = Sample(1 if slo.target == 1 else slo.min_events, slo.min_failures)


def _group(slo: SLO, frame: Frame, texts: _Texts, group: Group, answered: Answered) -> Status:
    found = answered[0].get(group)
    counted = found.tally if found else _NOTHING
    tally = derived(slo.indicator, counted)
    covered = coverage(frame.compliance, found.since_ns) if found else None
    spent = _budget(slo, tally, covered)
    warming = covered is None or covered < 1
    return Status(
        slo=slo.name,
        entry=slo.entry,
        group=group,
        state=_state(slo, tally, spent, texts.sample),
        warming_up=warming,
        as_of_ns=frame.compliance.end_ns,
        window=texts.window,
        target=texts.target,
        objective=texts.objective,
        tally=tally,
        sli=sli(tally.good, tally.bad),
        excluded_share=excluded_share(tally),
        coverage=covered,
        first_observed_ns=found.since_ns if found else None,
        budget=spent,
        burns=_burns(slo, frame, texts.sample, group, answered),
        notes=tuple(_notes(slo, counted, tally, spent, warming=warming)),
    )


def _budget(slo: SLO, tally: Tally, covered: float | None) -> Budget | None:
    return None if slo.budget_ratio is None else budget(tally, slo.budget_ratio, covered)


def _state(slo: SLO, tally: Tally, spent: Budget | None, sample: Sample) -> State:
    """A zero budget is breached by one bad event, any other one when more than all of it is consumed."""
    valid = tally.total if slo.indicator.form is Form.EVENT else tally.good + tally.bad
    consumed = spent.consumed if spent else None
    return state(valid, tally.bad, breached=consumed is not None and consumed > 1, sample=sample)


def _burns(slo: SLO, frame: Frame, sample: Sample, group: Group, answered: Answered) -> tuple[Burn, ...]:
    error_budget = slo.budget_ratio
    if error_budget is None:
        return ()
    return tuple(
        burn(_tally(slo, found.get(group)), at.length_ns, error_budget, sample)
        for at, found in zip(frame.look_backs, answered[1:], strict=True)
    )


def _tally(slo: SLO, found: Counted | None) -> Tally:
    return derived(slo.indicator, found.tally) if found else _NOTHING


def _notes(slo: SLO, counted: Tally, tally: Tally, spent: Budget | None, *, warming: bool) -> Iterator[str]:
    if skewed(slo.indicator, counted):
        yield "more parts than the total were counted; the difference is left out"
    error_budget = slo.budget_ratio
    if not warming or error_budget is None or spent is None or spent.consumed is None:
        return
    if tally.bad > error_budget * (tally.good + tally.bad):
        yield f"below objective, budget {spent.consumed * 100:.0f} % consumed"


def _unsupported(slo: SLO, frame: Frame, notes: tuple[str, ...]) -> Status:
    texts = _Texts(slo)
    return Status(
        slo=slo.name,
        entry=slo.entry,
        group=(),
        state=State.UNSUPPORTED,
        warming_up=False,
        as_of_ns=frame.compliance.end_ns,
        window=texts.window,
        target=texts.target,
        objective=texts.objective,
        tally=_NOTHING,
        sli=None,
        excluded_share=None,
        coverage=None,
        first_observed_ns=None,
        budget=None,
        burns=(),
        notes=notes,
    )
