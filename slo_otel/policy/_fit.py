"""Which condition fits which SLI (the table of POLICY.md 7)."""

from __future__ import annotations

from typing import Final

from slo_otel.plan import (
    Age,
    AgeState,
    AnyEvent,
    Baseline,
    BudgetShare,
    Burn,
    Burns,
    Condition,
    Down,
    ErrorRate,
    Events,
    ExcludedShare,
    Exhausts,
    Failures,
    Form,
    LatencyObjective,
    MaxObjective,
    MeanObjective,
    Missed,
    NoData,
    Objective,
    OffTarget,
    Outage,
    Percentile,
    RatioObjective,
    ShareObjective,
    SliBelow,
    Trend,
    UsersAffected,
    Value,
    ValueState,
    target_of,
)
from slo_otel.policy._model_sli import Sli
from slo_otel.units import DAY_NS, Period, Rolling, Window

_COUNTED: Final = (ErrorRate, Failures, Events, AnyEvent)
_RATIO: Final = (*_COUNTED, ExcludedShare, UsersAffected, Outage, NoData)
_TIMED: Final = (*_RATIO, Percentile, Baseline)
_FITTING: Final[dict[str, tuple[type, ...]]] = {
    "event": (Events, AnyEvent, NoData),
    "ratio": _RATIO,
    "promql": _RATIO,
    "latency": _TIMED,
    "delay": (*_TIMED, Age),
    "deadline": (*_COUNTED, Missed, Age),
    "probe": (ErrorRate, Failures, Down, Outage, NoData),
    "gauge": (Value, Trend, NoData),
    "sum": (Value, Trend, NoData),
    "age": (Age, Trend, NoData),
    "duration": (Missed, Failures),
}
ON_BUDGET: Final = (OffTarget, SliBelow, BudgetShare, Burns, Burn, Exhausts)
"""Conditions that read an objective; every other one ignores it."""
_LONG_ONLY: Final = (BudgetShare, Burns, Burn, Exhausts)
_WORDS: Final[dict[type, str]] = {
    ErrorRate: "error_rate",
    Percentile: "pXX",
    Baseline: "baseline",
    ExcludedShare: "excluded",
    UsersAffected: "users_affected",
    Failures: "failures",
    Events: "events",
    AnyEvent: "any",
    Missed: "missed",
    Value: "value",
    Trend: "value rising, value falling",
    Age: "age",
    Outage: "outage",
    Down: "down",
    NoData: "no data",
}
_OBJECTIVES: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "event": ((), "no objective: an event is only counted"),
    "ratio": ((RatioObjective,), "a percentage such as 99.5%"),
    "promql": ((RatioObjective,), "a percentage such as 99.5%"),
    "probe": ((RatioObjective,), "a percentage such as 99.5%"),
    "delay": ((RatioObjective,), "a percentage such as 95%"),
    "deadline": ((RatioObjective,), "a percentage such as 100%"),
    "latency": ((LatencyObjective,), "a percentile such as p95 < 400ms"),
    "gauge": ((ValueState, ShareObjective), "value < 10, or 99% of value < 10"),
    "sum": ((ValueState, ShareObjective), "value < 10, or 99% of value < 10"),
    "age": ((AgeState, ShareObjective), "age < 24h, or 99% of age < 24h"),
    "duration": ((MeanObjective, MaxObjective), "mean < 30m, or max < 15m"),
}


def objective_for(form: Form) -> str:
    """What an objective of this form looks like, for messages."""
    return _OBJECTIVES[kind_of(form)][1]


def objective_fits(objective: Objective, form: Form) -> bool:
    """Whether the objective is one of this SLI's (POLICY.md 6)."""
    if isinstance(objective, ShareObjective):
        return isinstance(objective.state, AgeState) == (form is Form.AGE) and form in _STATES
    return isinstance(objective, _OBJECTIVES[kind_of(form)][0])


_STATES: Final = frozenset({Form.GAUGE, Form.SUM, Form.AGE})


def kind_of(form: Form) -> str:
    """The kind of section 7: success, errors and counted are `ratio`."""
    return "ratio" if form in (Form.SUCCESS, Form.ERRORS, Form.COUNTED) else form.value


def length_of(window: Window) -> int:
    """Its length in nanoseconds; of a calendar window the shortest it can be."""
    if isinstance(window, Rolling):
        return window.length_ns
    days = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 28, Period.QUARTER: 90, Period.YEAR: 365}
    return days[window] * DAY_NS


def words_for(form: Form) -> str:
    """The conditions that fit, for messages."""
    return ", ".join(_WORDS[kind] for kind in _FITTING[kind_of(form)])


def misfit(
    condition: Condition, sli: Sli, objectives: tuple[Objective | None, ...], per: tuple[str, ...]
) -> str | None:
    """Why the condition does not fit this SLI, or None when it does."""
    if isinstance(condition, ON_BUDGET):
        if any(target_of(objective) is not None for objective in objectives):
            return None
        return "it needs an objective with a budget, which this SLO does not have"
    if not isinstance(condition, _FITTING[kind_of(sli.form)]):
        return f"it does not fit a {kind_of(sli.form)} SLI"
    return _unmet(condition, sli, objectives, per)


def _unmet(
    condition: Condition, sli: Sli, objectives: tuple[Objective | None, ...], per: tuple[str, ...]
) -> str | None:
    match condition:
        case Missed() if any(isinstance(objective, MeanObjective) for objective in objectives):
            return "a mean has no single miss"
        case UsersAffected() if getattr(sli, "users", None) is None:
            return "it needs `users:` in the SLI"
        case Outage(in_all=str(dimension)) if dimension not in per:
            return f"{dimension!r} is not in `per`"
        case _:
            return None


def too_short(condition: Condition, window: Window) -> str | None:
    """Why an inherited budget condition is skipped for this window, or None (POLICY.md 7)."""
    if isinstance(condition, _LONG_ONLY) and length_of(window) < DAY_NS:
        return "windows below 1d are too short for it"
    if isinstance(condition, Exhausts) and condition.within_ns >= length_of(window):
        return "it looks as far ahead as the window is long"
    return None
