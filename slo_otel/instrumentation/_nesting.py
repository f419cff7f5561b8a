"""Nested events: inside an open event of the same category an inner one is no second event (DESIGN.md 3).

The rules, for an inner event that closes while others are open around it:
* Each category that it shares with an event around it (as far as that one's names are known then) is absorbed by
  the nearest one that carries it. If the inner one is bad, its host remembers it by the inner operation, for the
  indicators that say so; a later inner success of the same operation takes it back (a retry). The host's `good()`
  overrules it at the host's close.
* SLOs that reach the inner event by a name that no event around it shares (its operation, another category) still
  count it once: it is recorded without the absorbed names, and not for the SLOs that would then count both.
* Nothing shared: both are events.

What `bad` means is the policy's word, for each ratio SLO that matches through the category by itself: what one
excludes may be bad for another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slo_otel.instrumentation._context import Frame, Opener, around, opened
from slo_otel.plan import CellKey, Outcome, Overrule, Plan, RatioRule, fails, judge, names_through

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from slo_otel.instrumentation._active import Active

_MOST = 10_000
_NONE: frozenset[str] = frozenset()


class Nesting:
    """What a plan says of inner events, worked out once per identity."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._ratios = tuple(each for each in plan.indicators if isinstance(each.rule, RatioRule))
        self._selections = {each.name: each.selection for each in plan.indicators}
        self._synthetic = frozenset(each.name for each in plan.categories if each.synthetic)
        self._bad: dict[tuple[CellKey, frozenset[str]], frozenset[str]] = {}
        self._rest: dict[tuple[CellKey, frozenset[str]], CellKey | None] = {}

    def bad_through(self, key: CellKey, common: frozenset[str]) -> frozenset[str]:
        """The indicators that match through a shared category and call the inner event bad."""
        found = self._bad.get((key, common))
        if found is None:
            found = self._judge_through(key, common)
            if len(self._bad) < _MOST:
                self._bad[key, common] = found
        return found

    def rest(self, key: CellKey, shared: frozenset[str]) -> CellKey | None:
        """What remains of the inner event for SLOs that the shared categories do not reach; None for nothing."""
        if (key, shared) in self._rest:
            return self._rest[key, shared]
        found = self._remainder(key, shared)
        if len(self._rest) < _MOST:
            self._rest[key, shared] = found
        return found

    def _judge_through(self, key: CellKey, common: frozenset[str]) -> frozenset[str]:
        return frozenset(
            each.name
            for each in self._ratios
            if names_through(each.selection, key) & common and fails(self._plan, each, key)
        )

    def _remainder(self, key: CellKey, shared: frozenset[str]) -> CellKey | None:
        gone = shared - self._synthetic
        rest = key._replace(names=tuple(name for name in key.names if name not in gone))
        reached = {judgement.indicator for judgement in judge(self._plan, rest)}
        twice = {name for name in reached if names_through(self._selections[name], key) & shared}
        counted = reached - twice
        if not counted:
            return None
        nested_bad = tuple(name for name in key.nested_bad if name in counted)
        return rest._replace(nested_bad=nested_bad, absorbed=tuple(sorted(twice)))


def settle(
    running: Active,
    key: CellKey,
    outer: Frame,
    duration: float,
    first_byte: float | None = None,
    before: frozenset[str] = _NONE,
    span: Span | None = None,
) -> None:
    """Record a closed event: by itself, or into the events around it. `span` is that of its request."""
    resolved = absorb(running, running.cells.resolve(key), outer, before)
    if resolved is not None:
        running.cells.record(resolved, duration, first_byte, span)


def absorb(running: Active, resolved: CellKey, outer: Frame, before: frozenset[str] = _NONE) -> CellKey | None:
    """Let the events around it take what they share; what is left to record, or None.

    `before` are the categories of events around it that may be over already.
    """
    mine = running.declared.categories.intersection(resolved.names) if outer or before else _NONE
    shared = _NONE
    for frame, holder in around(outer) if mine else ():
        common = (mine - shared) & holder.categories(frame)
        if common:
            shared |= common
            _tell(running, holder, frame, resolved, common)
    shared |= mine & before
    return running.nesting.rest(resolved, shared) if shared else resolved


def _tell(running: Active, holder: Opener, frame: Frame, inner: CellKey, common: frozenset[str]) -> None:
    operation = inner.operation or "|".join(inner.names)
    bad = running.nesting.bad_through(inner, common)
    if bad:
        nested = opened(frame, holder).nested
        nested[operation] = nested.get(operation, _NONE) | bad
    elif inner.outcome is Outcome.SUCCESS or inner.overrule is Overrule.GOOD:
        # A marker that is no event yet has nothing to take back.
        getattr(holder, "nested", {}).pop(operation, None)
