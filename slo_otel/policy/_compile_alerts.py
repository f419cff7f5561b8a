"""From the alerts of an expanded entry to those of the plan: written ones, then the default burn-rate alerts."""

from __future__ import annotations

from collections.abc import Iterator

from slo_otel.plan import Alert, target_of
from slo_otel.policy._alert_sets import Leg, default_legs
from slo_otel.policy._aliases import Aliases
from slo_otel.policy._expand import Expanded, ExpandedAlert, Level


def alerts_of(one: Expanded, level: Level, aliases: Aliases) -> tuple[Alert, ...]:
    """Every alert of one SLO, in the order of the file."""
    written = (_written(one, alert, aliases) for alert in level.alerts)
    return (*written, *(_default(one, leg) for leg in kept_legs(one, level)))


def kept_legs(one: Expanded, level: Level) -> Iterator[Leg]:
    """The default legs that attach: those that can fire at this target (POLICY.md 7)."""
    return (leg for leg, fires in _legs(one, level) if fires)


def dropped_legs(one: Expanded, level: Level) -> Iterator[Leg]:
    """The default legs that can never fire at this target: `lint` warns of them."""
    return (leg for leg, fires in _legs(one, level) if not fires)


def _legs(one: Expanded, level: Level) -> Iterator[tuple[Leg, bool]]:
    target = None if level.objective is None else target_of(level.objective.value)
    if target is None or not one.budget_alerts.default:
        return
    for leg in default_legs(one.window):
        yield leg, leg.can_fire(target)


def _written(one: Expanded, alert: ExpandedAlert, aliases: Aliases) -> Alert:
    entry = alert.entry
    return Alert(
        severity=alert.severity,
        condition=aliases.condition(entry.when.value),
        name=entry.name,
        min_events=entry.min_events,
        notify=entry.notify,
        runbook=entry.runbook or one.runbook,
        message=entry.message,
        incident=entry.incident,
        on_budget=alert.on_budget,
    )


def _default(one: Expanded, leg: Leg) -> Alert:
    named = one.budget_alerts.page if leg.rank == "page" else one.budget_alerts.ticket
    return Alert(severity=named, condition=leg.condition, runbook=one.runbook, on_budget=True)
