"""What was promised and what was evaluated, as gauges. A number that is not known, or not finite, is not sent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from opentelemetry.sdk.metrics.export import Gauge, Metric, NumberDataPoint

from slo_otel import names
from slo_otel.evaluation import Status, StatusSet, nominal_ns
from slo_otel.export._paced import Points, paced
from slo_otel.export._series import Attributes, attributes
from slo_otel.plan import SLO, LatencyObjective, Plan
from slo_otel.units import SECOND_NS, Rolling, format_duration, seconds

_TEXTS: Mapping[str, tuple[str, str]] = {
    names.OBJECTIVE_RATIO: ("1", "The share of good events that is promised."),
    names.OBJECTIVE_THRESHOLD: ("s", "The duration up to which an event is good."),
    names.OBJECTIVE_WINDOW: ("s", "The length of the compliance window; of a calendar one the nominal length."),
    names.SLI_RATIO: ("1", "Good events / valid events in a window."),
    names.BUDGET_REMAINING: ("1", "The share of the error budget that is left; negative when overspent."),
    names.BUDGET_CONSUMED: ("1", "The share of the error budget that is spent; above 1 when overspent."),
    names.BUDGET_LIMIT: ("{event}", "Bad events that the compliance window allows."),
    names.BUDGET_USAGE: ("{event}", "Bad events in the compliance window."),
    names.BURN_RATE: ("{budget}", "Error budgets burned per compliance window at the rate of a shorter one."),
    names.COVERAGE: ("1", "The share of the compliance window that has been observed."),
    names.FIRST_OBSERVED: ("s", "When the first event was observed, in seconds since the epoch."),
    names.INFO: ("", "What the policy says about a service level; always 1."),
}


_Row: TypeAlias = tuple[Attributes, float]
"""A point before it is made: attributes and value."""


@dataclass(slots=True)
class _Sheet:
    """Gauge points by metric, at one time. Whoever puts them sees to it that no two have the same attributes."""

    time_ns: int
    rows: dict[str, list[_Row]] = field(default_factory=dict)

    def put(self, name: str, value: float | None, told: Attributes) -> None:
        if value is None or not math.isfinite(value):
            return
        self.rows.setdefault(name, []).append((told, value))

    def metrics(self) -> Iterator[Metric]:
        for name, found in self.rows.items():
            unit, description = _TEXTS[name]
            yield Metric(name, description, unit, Gauge(Points(found, self._point)))

    def _point(self, row: _Row) -> NumberDataPoint:
        told, value = row
        return NumberDataPoint(told, 0, self.time_ns, value)


def promised(plan: Plan, time_ns: int) -> tuple[Metric, ...]:
    """What the policy says: objectives, thresholds, windows, and `slo.info`."""
    sheet = _Sheet(time_ns)
    for slo in paced(plan.slos):
        _promise(sheet, slo)
        sheet.put(names.INFO, 1, _info(plan, slo))
    return tuple(sheet.metrics())


def _promise(sheet: _Sheet, slo: SLO) -> None:
    if slo.target is None:
        return
    told = attributes(slo.name, ())
    sheet.put(names.OBJECTIVE_RATIO, float(slo.target), told)
    if isinstance(slo.objective, LatencyObjective):
        sheet.put(names.OBJECTIVE_THRESHOLD, seconds(slo.objective.under_ns), told)
    kind = {names.WINDOW_TYPE: "rolling" if isinstance(slo.window, Rolling) else "calendar"}
    sheet.put(names.OBJECTIVE_WINDOW, seconds(nominal_ns(slo.window)), attributes(slo.name, (), kind))


def _info(plan: Plan, slo: SLO) -> Attributes:
    said = {
        names.SLO_ENTRY: slo.entry,
        names.SLO_OWNER: slo.owner,
        names.SLO_TIER: slo.tier,
        names.SLO_DESCRIPTION: slo.description,
        names.SLO_RUNBOOK: slo.runbook,
    }
    labels = {**dict(plan.labels), **dict(slo.labels)}
    return attributes(slo.name, (), labels | {name: text for name, text in said.items() if text is not None})


def evaluated(statuses: StatusSet) -> tuple[Metric, ...]:
    """What the evaluation says, at its own tick, every point with the scope it holds for."""
    sheet = _Sheet(statuses.at_ns)
    for status in paced(statuses.statuses):
        _evaluate(sheet, status, {names.SLO_SCOPE: statuses.scope.value})
    return tuple(sheet.metrics())


def _evaluate(sheet: _Sheet, status: Status, scope: Mapping[str, str]) -> None:
    told = attributes(status.slo, status.group, scope)
    _windows(sheet, status, told)
    sheet.put(names.COVERAGE, status.coverage, told)
    if status.first_observed_ns is not None:
        sheet.put(names.FIRST_OBSERVED, status.first_observed_ns / SECOND_NS, told)
    if status.budget is not None:
        sheet.put(names.BUDGET_REMAINING, status.budget.remaining, told)
        sheet.put(names.BUDGET_CONSUMED, status.budget.consumed, told)
        sheet.put(names.BUDGET_LIMIT, status.budget.limit, told)
        sheet.put(names.BUDGET_USAGE, status.budget.spent, told)


def _windows(sheet: _Sheet, status: Status, told: Attributes) -> None:
    """Where a look-back has the length of the compliance window, the compliance window's own SLI stands."""
    for burn in status.burns:
        window = {**told, names.SLO_WINDOW: _length(burn.window_ns)}
        if window[names.SLO_WINDOW] != status.window:
            sheet.put(names.SLI_RATIO, burn.sli, window)
        sheet.put(names.BURN_RATE, burn.rate, window)
    sheet.put(names.SLI_RATIO, status.sli, {**told, names.SLO_WINDOW: status.window})


_length = lru_cache(maxsize=64)(format_duration)
"""The few lengths that look-backs have, as texts."""
