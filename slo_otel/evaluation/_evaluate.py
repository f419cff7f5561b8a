"""Plan + answers + now -> `StatusSet`. Pure: one `now`, no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isinf
from typing import Final, TypeAlias

from slo_otel.evaluation._budget import budget, burn, coverage, derived, excluded_share, skewed, sli, state
from slo_otel.evaluation._needs import Asked, asked
from slo_otel.evaluation._promises import Promise
from slo_otel.evaluation._queries import Answers, Counted, Group
from slo_otel.evaluation._status import Budget, Burn, Scope, State, Status, StatusSet
from slo_otel.plan import Plan, Tallying
from slo_otel.recorder import Tally

_NOTHING: Final = Tally()
_NOBODY: Final[Mapping[Group, Counted]] = {}
_GOOD_BAD: Final = Tallying.GOOD_BAD

_LookedBack: TypeAlias = list[tuple[int, Mapping[Group, Counted]]]
"""The length of each look-back window of one SLO in nanoseconds, and its answer by group."""


def evaluate(plan: Plan, answers: Answers, now_ns: int, *, scope: Scope) -> StatusSet:
    """The status of every SLO and group at tick `now_ns`, in the order of the policy, groups sorted.

    `answers` must hold the answers to `needs(plan, now_ns)`; what is not in it counts as never observed. An SLO
    without `per` has exactly one status, also before its first event; one with `per` has a status for every group
    that was ever observed, and none before.
    """
    return StatusSet(now_ns, scope, plan.service, tuple(statuses(plan, answers, now_ns)), plan.unsupported)


def statuses(plan: Plan, answers: Answers, now_ns: int) -> Iterator[Status]:
    """The statuses of `evaluate`, one by one: whoever shares the interpreter may let others run in between."""
    for one in asked(plan, now_ns):
        yield from _slo(one, answers)


def _slo(one: Asked, answers: Answers) -> Iterator[Status]:
    if one.promise.missing:
        yield _unsupported(one)
        return
    counts = answers.counts
    compliance, *backs = [counts.get(question, _NOBODY) for question in one.questions]
    looked_back = [(at.length_ns, found) for at, found in zip(one.look_backs, backs, strict=True)]
    for group in sorted(compliance) if one.promise.dims else [()]:
        yield _status(one, group, compliance.get(group), _burns(one.promise, group, looked_back))


def _status(one: Asked, group: Group, found: Counted | None, burns: tuple[Burn, ...]) -> Status:
    promise, compliance = one.promise, one.compliance
    counted = found.tally if found else _NOTHING
    tally = derived(promise.tallying, counted)
    covered = coverage(compliance, found.since_ns) if found else None
    spent = None if promise.error_budget is None else budget(tally, promise.error_budget, covered)
    warming = covered is None or covered < 1
    return Status(
        slo=promise.name,
        entry=promise.entry,
        group=group,
        state=_state(promise, tally, spent),
        warming_up=warming,
        as_of_ns=compliance.end_ns,
        window=promise.window_text,
        target=promise.target,
        objective=promise.objective,
        tally=tally,
        sli=sli(tally.good, tally.bad),
        excluded_share=excluded_share(tally),
        coverage=covered,
        first_observed_ns=found.since_ns if found else None,
        budget=spent,
        burns=burns,
        notes=tuple(_notes(promise, counted, tally, spent if warming else None)),
    )


def _burns(promise: Promise, group: Group, looked_back: _LookedBack) -> tuple[Burn, ...]:
    error_budget, sample, tallying = promise.error_budget, promise.sample, promise.tallying
    if error_budget is None:
        return ()
    burns = []
    for window_ns, groups in looked_back:
        found = groups.get(group)
        tally = found.tally if found else _NOTHING
        if tallying is not _GOOD_BAD:
            tally = derived(tallying, tally)
        burns.append(burn(tally, window_ns, error_budget, sample))
    return tuple(burns)


def _state(promise: Promise, tally: Tally, spent: Budget | None) -> State:
    """A zero budget is breached by one bad event, any other one when more than all of it is consumed."""
    valid = tally.total if promise.counts_only else tally.good + tally.bad
    consumed = spent.consumed if spent else None
    return state(valid, tally.bad, promise.sample, breached=consumed is not None and consumed > 1)


def _notes(promise: Promise, counted: Tally, tally: Tally, warming: Budget | None) -> Iterator[str]:
    if skewed(promise.tallying, counted):
        yield "more parts than the total were counted; the difference is left out"
    if promise.error_budget is None or warming is None or warming.consumed is None:
        return
    if promise.error_budget.exceeded(tally.bad, tally.good + tally.bad):
        yield f"below objective, {_spent(warming.consumed)}"


def _spent(consumed: float) -> str:
    return "no budget to spend" if isinf(consumed) else f"budget {consumed * 100:.0f} % consumed"


def _unsupported(one: Asked) -> Status:
    return Status(
        slo=one.promise.name,
        entry=one.promise.entry,
        group=(),
        state=State.UNSUPPORTED,
        warming_up=False,
        as_of_ns=one.compliance.end_ns,
        window=one.promise.window_text,
        target=one.promise.target,
        objective=one.promise.objective,
        tally=_NOTHING,
        sli=None,
        excluded_share=None,
        coverage=None,
        first_observed_ns=None,
        budget=None,
        burns=(),
        notes=one.promise.missing,
    )
