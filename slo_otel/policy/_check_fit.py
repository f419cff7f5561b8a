"""Objectives, conditions, windows and units that do not fit their SLI are refused (POLICY.md 6, 7 and 10)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from slo_otel.plan import (
    Baseline,
    Burn,
    Burns,
    Cmp,
    Condition,
    ErrorRate,
    Events,
    ExcludedShare,
    Failures,
    Objective,
    Occurrences,
    OffTarget,
    Outage,
    Percentile,
    ShareObjective,
    UsersAffected,
    Value,
    ValueState,
    target_of,
)
from slo_otel.policy._document import Path
from slo_otel.policy._expand import Expanded, ExpandedAlert, Level, layers
from slo_otel.policy._fit import kind_of, length_of, objective_fits, objective_for, words_for
from slo_otel.policy._scene import Scene
from slo_otel.units import (
    DAY_NS,
    Dimension,
    Quantity,
    Rolling,
    decimal_text,
    format_duration,
    format_percent,
    grid_ns,
)

_YEAR: Final = 366 * DAY_NS


def check_fit(scene: Scene) -> None:
    """What of an SLO contradicts another part of it."""
    for one in scene.entries:
        if scene.unsure_of(one):
            continue
        _window(scene, one)
        _check_only(scene, one)
        if _objectives(scene, one):
            _conditions(scene, one)
            _units(scene, one)
            _factors(scene, one)


def _window(scene: Scene, one: Expanded) -> None:
    path = scene.written_at(one, "window")
    if isinstance(one.window, Rolling):
        length = one.window.length_ns
        _multiple(scene, path, "the window", length, grid_ns(length, scene.policy.step))
        if length > _YEAR:
            scene.say(path, f"a window of {one.window} is longer than a year", "write at most 366d", "window")
    if not isinstance(one.budgeting, Occurrences):
        path = scene.written_at(one, "budgeting")
        _multiple(scene, path, "the slice", one.budgeting.width_ns, scene.policy.step)


def _multiple(scene: Scene, path: Path, what: str, length: int, grid: int) -> None:
    if length % grid:
        near = max(1, round(length / grid)) * grid
        scene.say(
            path,
            f"{what} of {format_duration(length)} is no multiple of {format_duration(grid)}",
            f"write {format_duration(near)}",
            "window-step",
        )


def _check_only(scene: Scene, one: Expanded) -> None:
    if one.evaluate != "check":
        return
    for path, keys in layers(scene.policy):
        own = path in (one.path, one.path[:2])
        if own and keys.alerts:
            scene.say(
                (*path, "alerts"),
                "an SLO that only `slo-otel check` judges has no alerts",
                "remove alerts: or evaluate: check",
                "check-alerts",
                at_key=True,
            )


def _objectives(scene: Scene, one: Expanded) -> bool:
    fitting = True
    for level in one.levels:
        if level.objective is not None and not objective_fits(level.objective.value, one.sli.form):
            fitting = False
            scene.say(
                level.path,
                f"the objective {level.objective.text!r} does not fit a {kind_of(one.sli.form)} SLI",
                f"write {objective_for(one.sli.form)}",
                "objective-fit",
            )
    return fitting


def _conditions(scene: Scene, one: Expanded) -> None:
    for alert, reason in one.skipped:
        if alert.inherited or reason.startswith("`on:`") or scene.unsure(*alert.path):
            continue
        condition = alert.entry.when.value
        scene.say(_when(alert), f"{alert.entry.when.text!r}: {reason}", _fix(one, condition), "condition-fit")
    for alert in _alerts(one):
        for length in windows_of(alert.entry.when.value):
            _multiple(scene, _when(alert), "a window", length, scene.policy.step)


def _fix(one: Expanded, condition: Condition) -> str:
    if isinstance(condition, Outage) and condition.in_all is not None:
        return f"add {condition.in_all} to per:, or write `outage`"
    if isinstance(condition, UsersAffected):
        return "add users: and the attribute that names a user to the SLI"
    objective = "" if one.levels[0].objective else ", or give it an objective"
    return f"what fits: {words_for(one.sli.form)}{objective}"


def _when(alert: ExpandedAlert) -> Path:
    return (*alert.path, "when")


def _alerts(one: Expanded) -> tuple[ExpandedAlert, ...]:
    return tuple(dict.fromkeys(alert for level in one.levels for alert in level.alerts))


def windows_of(condition: Condition) -> tuple[int, ...]:
    """The windows over which a condition computes a value, in nanoseconds, as far as they are written."""
    match condition:
        case (
            ErrorRate(over_ns=over)
            | Percentile(over_ns=over)
            | Baseline(over_ns=over)
            | ExcludedShare(over_ns=over)
            | UsersAffected(over_ns=over)
            | OffTarget(over_ns=over)
        ):
            return () if over is None else (over,)
        case Failures(in_ns=length) | Events(in_ns=length) | Burns(in_ns=length):
            return (length,)
        case Burn(long_ns=int(long), short_ns=int(short)):
            return (long, short)
        case _:
            return ()


def _units(scene: Scene, one: Expanded) -> None:
    """The quantities of one SLO share one dimension; with `unit:` they are bare (POLICY.md 2)."""
    unit = getattr(one.sli, "unit", None)
    quantities = list(_quantities(one))
    first = quantities[0][0].dimension if quantities and unit is None else Dimension.NONE
    for quantity, path in quantities:
        if quantity.dimension is not first:
            other = (
                f"with unit: {unit}, numbers are bare" if unit else f"{quantities[0][0].text!r} gives {first.value}"
            )
            fix = (
                "write the number without a unit"
                if unit
                else f"use one kind of unit in the whole SLO, as in {quantities[0][0].text}"
            )
            scene.say(path, f"the unit of {quantity.text!r} does not fit: {other}", fix, "unit")


def _quantities(one: Expanded) -> Iterator[tuple[Quantity, Path]]:
    for level in one.levels:
        state = _state(level.objective.value) if level.objective else None
        if state is not None:
            yield state.limit, level.path
    for alert in _alerts(one):
        condition = alert.entry.when.value
        if isinstance(condition, Value):
            yield condition.limit, _when(alert)


def _state(objective: Objective) -> ValueState | None:
    state = objective.state if isinstance(objective, ShareObjective) else objective
    return state if isinstance(state, ValueState) else None


def _factors(scene: Scene, one: Expanded) -> None:
    for level in one.levels:
        for alert in level.alerts:
            reason = None if alert.inherited else never_fires(one, level, alert)
            if reason is not None:
                fix = "lower the factor, or the target"
                scene.say(_when(alert), f"{alert.entry.when.text!r} can never fire: {reason}", fix, "never-fires")


def factor_of(condition: Condition, one: Expanded) -> tuple[Fraction, Cmp] | None:
    """The burn rate above which a condition holds."""
    match condition:
        case Burn(cmp=(Cmp.GT | Cmp.GE) as cmp, factor=factor):
            return factor, cmp
        case Burns(ratio=ratio, in_ns=length):
            return ratio * Fraction(length_of(one.window), length), Cmp.GT
        case _:
            return None


def never_fires(one: Expanded, level: Level, alert: ExpandedAlert) -> str | None:
    """The arithmetic that shows a factor out of reach: the burn rate is at most 1 / e (slo-math 1.4)."""
    target = None if level.objective is None else target_of(level.objective.value)
    found = factor_of(alert.entry.when.value, one)
    if target is None or found is None:
        return None
    factor, cmp = found
    product = factor * (1 - target)
    if product < 1 or (cmp is Cmp.GE and product == 1):
        return None
    return (
        f"with {format_percent(target)} the burn rate is at most 1 / {format_percent(1 - target)}"
        f" = {decimal_text(1 / (1 - target))}, and {decimal_text(factor)} × {format_percent(1 - target)}"
        f" = {format_percent(product)} of events bad"
    )
