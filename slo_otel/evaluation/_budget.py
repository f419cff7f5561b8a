"""SLI, error budget and burn rate of verdict counts: the formulas of slo-math 1.1 to 1.4.

Counts are integers and `e` is the exact fraction of the policy; floats appear in the order of the generated
rules, `b / n / e * v` in binary64, so that process and Prometheus decide alike (slo-math 2.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from slo_otel.evaluation._status import Budget, Burn, State
from slo_otel.evaluation._windows import Span
from slo_otel.plan import Tallying
from slo_otel.recorder import Tally

_OK: Final = State.OK
_INSUFFICIENT: Final = State.INSUFFICIENT
_NO_DATA: Final = State.NO_DATA
_GOOD_BAD: Final = Tallying.GOOD_BAD
"""Looked up here instead of in the enumeration, thousands of times a tick."""
_new: Final = tuple.__new__
"""Makes a named tuple in half of the time its own constructor, a Python function, takes."""


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """`e = 1 - target`: exact, and as the binary64 number that is divided by."""

    exact: Fraction
    ratio: float

    def exceeded(self, bad: int, valid: int) -> bool:
        """Whether more than `e` of the events were bad: the SLI is below its target. Exact."""
        return bad * self.exact.denominator > self.exact.numerator * valid

    def events(self, valid: int) -> float:
        """`e * n`: how many events may be bad."""
        return self.exact.numerator * valid / self.exact.denominator


@dataclass(frozen=True, slots=True)
class Sample:
    """How many events, and bad ones, a verdict needs. A zero budget needs one: its first bad event exhausts it."""

    min_events: int
    min_failures: int


def derived(tallying: Tallying, counted: Tally) -> Tally:
    """Good, bad and excluded events, where the SLI is given with a total also the number that follows from it.

    What was excluded leaves the total. Good (or bad) beyond it is clamped to it (POLICY.md 5); `skewed` tells.
    """
    if tallying is _GOOD_BAD:
        return counted
    total = _valid(counted)
    if tallying is Tallying.GOOD_TOTAL:
        good = min(counted.good, total)
        return Tally(good, total - good, counted.excluded, total)
    bad = min(counted.bad, total)
    return Tally(total - bad, bad, counted.excluded, total)


def skewed(tallying: Tallying, counted: Tally) -> bool:
    """Whether a part was counted more often than the whole."""
    if tallying is _GOOD_BAD:
        return False
    part = counted.good if tallying is Tallying.GOOD_TOTAL else counted.bad
    return part > _valid(counted)


def _valid(counted: Tally) -> int:
    return max(0, counted.total - counted.excluded)


def sli(good: int, bad: int) -> float | None:
    """`g / (g + b)`; None, not 0 and not 1, without a valid event."""
    valid = good + bad
    return good / valid if valid else None


def excluded_share(tally: Tally) -> float | None:
    """Excluded / all events; None without any."""
    seen = tally.good + tally.bad + tally.excluded
    return tally.excluded / seen if seen else None


def coverage(span: Span, since_ns: int) -> float:
    """`v = clamp((as_of - first_observed) / P, 0, 1)`; for calendar windows not before the period's start."""
    observed = span.end_ns - max(since_ns, span.start_ns)  # at most P, since no window is longer than its P
    return max(0, observed) / span.length_ns


def burn_rate(bad: int, valid: int, ratio: float) -> float | None:
    """`r / e`: None without events; 0 or infinite for a zero budget, which nothing is divided by."""
    if not valid:
        return None
    if ratio:
        return bad / valid / ratio
    return math.inf if bad else 0.0


def budget(tally: Tally, error_budget: ErrorBudget, covered: float | None) -> Budget:
    """The budget of the compliance window; unknown without events and before anything is covered."""
    valid = tally.good + tally.bad
    burnt = burn_rate(tally.bad, valid, error_budget.ratio)
    if burnt is None or not covered:
        return Budget(None, None, None, tally.bad)
    consumed = burnt * covered
    return Budget(consumed, 1 - consumed, error_budget.events(valid), tally.bad)


def state(valid: int, bad: int, sample: Sample, *, breached: bool) -> State:
    """`no_data` and `insufficient` are not `ok` and never `breach`."""
    if not valid:
        return State.NO_DATA
    if valid < sample.min_events:
        return State.INSUFFICIENT
    if not breached:
        return State.OK
    return State.INSUFFICIENT if bad < sample.min_failures else State.BREACH


def burn(tally: Tally, window_ns: int, error_budget: ErrorBudget, sample: Sample) -> Burn:
    """The burn rate over one look-back window, and whether it rests on enough events."""
    good, bad, _, _ = tally
    valid = good + bad
    if not valid:
        return Burn(window_ns, None, None, 0, _NO_DATA)
    ratio = error_budget.ratio
    rate = bad / valid / ratio if ratio else burn_rate(bad, valid, ratio)
    enough = valid >= sample.min_events and not 0 < bad < sample.min_failures
    return _new(Burn, (window_ns, rate, good / valid, valid, _OK if enough else _INSUFFICIENT))
