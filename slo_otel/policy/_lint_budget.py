"""Warnings about alerts on budgets and over windows (POLICY.md 10)."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from typing import Final

from slo_otel.plan import BudgetShare, Burn, Burns, Condition, Exhausts, Form, SliBelow, target_of
from slo_otel.policy._check_fit import factor_of, never_fires, windows_of
from slo_otel.policy._compile_alerts import dropped_legs, kept_legs
from slo_otel.policy._document import Path
from slo_otel.policy._expand import Expanded, ExpandedAlert, Level
from slo_otel.policy._fit import length_of
from slo_otel.policy._scene import Scene, has_budget
from slo_otel.units import DAY_NS, HOUR_NS, MINUTE_NS, format_duration, format_percent

_RETENTION: Final = 15 * DAY_NS
_EXPORT_MS: Final = 60_000


def warn_of_budgets(scene: Scene) -> None:
    """Every alert whose arithmetic works against it."""
    for one, level, alert in scene.attached():
        _too_late(scene, one, level, alert)
        _out_of_reach(scene, one, level, alert)
        _looks_too_far(scene, one, alert)
        _short_window(scene, alert)
    for one, level in scene.levels():
        _dropped(scene, one, level)
        _twice(scene, one, level)
        _retention(scene, one, level)


def _warn(scene: Scene, path: Path, message: str, fix: str, code: str) -> None:
    scene.say(path, message, fix, code, level="warning")


def _too_late(scene: Scene, one: Expanded, level: Level, alert: ExpandedAlert) -> None:
    spent = spent_before(alert.entry.when.value, one, level)
    if spent is not None and spent > 1:
        share = format_percent(Fraction(round(spent * 1000), 1000))
        _warn(
            scene,
            (*alert.path, "when"),
            f"{alert.entry.when.text!r} on {level.name} fires only after {share} of the budget is spent",
            "add an alert that fires earlier, for example budget consumed >= 50%",
            "too-late",
        )


def spent_before(condition: Condition, one: Expanded, level: Level) -> Fraction | None:
    """The share of the budget that is gone when a condition first holds: F·W / P, or (1 − S) / e (slo-math 1.5)."""
    target = None if level.objective is None else target_of(level.objective.value)
    if target is None:
        return None
    match condition:
        case Burn(factor=factor, long_ns=long):
            return factor * Fraction(long or _long_window(one), length_of(one.window))
        case Burns(ratio=ratio):
            return ratio
        case SliBelow(ratio=Fraction() as ratio) if target < 1:
            return (1 - ratio) / (1 - target)
        case BudgetShare(side="consumed", ratio=ratio):
            return ratio
        case _:
            return None


def _long_window(one: Expanded) -> int:
    """The long window of a `burn` that names none (POLICY.md 7)."""
    length = length_of(one.window)
    if length >= 21 * DAY_NS:
        return DAY_NS
    return 6 * HOUR_NS if length >= 7 * DAY_NS else HOUR_NS


def _out_of_reach(scene: Scene, one: Expanded, level: Level, alert: ExpandedAlert) -> None:
    reason = never_fires(one, level, alert) if alert.inherited else None
    if reason is not None:
        _warn(
            scene,
            (*alert.path, "when"),
            f"{alert.entry.when.text!r} can never fire on {level.name}: {reason}",
            "narrow it with on:, or lower the factor",
            "never-fires",
        )


def _dropped(scene: Scene, one: Expanded, level: Level) -> None:
    legs = [leg.text for leg in dropped_legs(one, level)]
    if legs:
        _warn(
            scene,
            level.path if level.objective else scene.name_of(one),
            f"default alerts of {level.name} that can never fire are left out: {', '.join(legs)}",
            "leave it, or write budget_alerts: with factors below 1 / (1 − target)",
            "dropped-leg",
        )


def _looks_too_far(scene: Scene, one: Expanded, alert: ExpandedAlert) -> None:
    condition = alert.entry.when.value
    if isinstance(condition, Exhausts) and condition.within_ns >= length_of(one.window):
        _warn(
            scene,
            (*alert.path, "when"),
            f"{alert.entry.when.text!r} looks as far ahead as the window of {one.window} is long",
            "write a duration below the window",
            "exhausts-window",
        )


def export_interval_ns() -> int:
    """`OTEL_METRIC_EXPORT_INTERVAL`, 60 s by default and where `configure` would refuse it."""
    text = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "").strip()
    return (int(text) if re.fullmatch("0*[1-9][0-9]{0,11}", text) else _EXPORT_MS) * 1_000_000


def _short_window(scene: Scene, alert: ExpandedAlert) -> None:
    least = 4 * max(scene.policy.step, export_interval_ns())
    for length in windows_of(alert.entry.when.value):
        if length < least:
            _warn(
                scene,
                (*alert.path, "when"),
                f"a window of {format_duration(length)} is below 4 × the larger of step and export interval",
                f"write at least {format_duration(-(-least // MINUTE_NS) * MINUTE_NS)}",
                "short-window",
            )


def _twice(scene: Scene, one: Expanded, level: Level) -> None:
    """A burn-rate alert beside the default ones of the same severity."""
    if not has_budget(level) or not any(kept_legs(one, level)):
        return
    names = (one.budget_alerts.page, one.budget_alerts.ticket)
    for alert in level.alerts:
        if alert.severity in names and factor_of(alert.entry.when.value, one) is not None:
            _warn(
                scene,
                (*alert.path, "when"),
                f"{alert.entry.when.text!r} and the default burn-rate alerts of {level.name} will both notify"
                f" {alert.severity}",
                "remove it, or write budget_alerts: none",
                "both-notify",
            )


def _retention(scene: Scene, one: Expanded, level: Level) -> None:
    if one.sli.form is Form.PROMQL and level.objective and length_of(one.window) > _RETENTION:
        _warn(
            scene,
            scene.written_at(one, "window"),
            f"{level.name} asks Prometheus for {one.window}, which keeps 15d by default",
            "write a shorter window, or raise the retention",
            "retention",
        )
