"""The names of metrics and attributes: one home for the exporter and for whatever is generated later.

Source: reference/opentelemetry.md 4.2 and DESIGN.md 8; Prometheus translation after otlptranslator's rules
(`UnderscoreEscapingWithSuffixes`), which the Collector and Prometheus 3 use by default.
"""

from __future__ import annotations

import re
from typing import Final

SCOPE: Final = "slo_otel"

EVENTS: Final = "slo.events"
DURATION: Final = "slo.operation.duration"
OBJECTIVE_RATIO: Final = "slo.objective.ratio"
OBJECTIVE_THRESHOLD: Final = "slo.objective.threshold"
OBJECTIVE_WINDOW: Final = "slo.objective.window"
SLI_RATIO: Final = "slo.sli.ratio"
BUDGET_REMAINING: Final = "slo.error_budget.remaining.ratio"
BUDGET_CONSUMED: Final = "slo.error_budget.consumed.ratio"
BUDGET_LIMIT: Final = "slo.error_budget.limit"
BUDGET_USAGE: Final = "slo.error_budget.usage"
BURN_RATE: Final = "slo.burn_rate"
COVERAGE: Final = "slo.window.coverage.ratio"
FIRST_OBSERVED: Final = "slo.first_observed"
INFO: Final = "slo.info"
SDK_SERIES: Final = "slo_otel.sdk.series"
SDK_OVERFLOW: Final = "slo_otel.sdk.overflow.events"
SDK_OVERFLOW_VALUES: Final = "slo_otel.sdk.overflow.values"
SDK_LATE_CHANGES: Final = "slo_otel.sdk.late.changes"
SDK_AFTER_BODY: Final = "slo_otel.sdk.after_body.exceptions"
SDK_DETACHED: Final = "slo_otel.sdk.detached.events"
SDK_DROPPED: Final = "slo_otel.sdk.dropped.events"
SDK_FAULTS: Final = "slo_otel.sdk.faults"
SDK_EXPORT_DURATION: Final = "slo_otel.sdk.export.duration"
SDK_CPU_TIME: Final = "slo_otel.sdk.cpu.time"

SLO_NAME: Final = "slo.name"
SLO_VERDICT: Final = "slo.verdict"
SLO_SCOPE: Final = "slo.scope"
SLO_WINDOW: Final = "slo.window"
WINDOW_TYPE: Final = "slo.window.type"
SLO_ENTRY: Final = "slo.entry"
SLO_OWNER: Final = "slo.owner"
SLO_TIER: Final = "slo.tier"
SLO_DESCRIPTION: Final = "slo.description"
SLO_RUNBOOK: Final = "slo.runbook"
ERROR_TYPE: Final = "error.type"

ATTRIBUTES: Final[dict[str, str]] = {
    "category": "slo.category",
    "operation": "slo.operation",
    "route": "http.route",
    "method": "http.request.method",
    "status": "http.response.status_code",
    "outcome": "slo.outcome",
    "reason": "slo.reason",
    "region": "cloud.region",
    "environment": "deployment.environment.name",
    "service_version": "service.version",
}
"""Names of the policy language to OpenTelemetry attribute names; any other name is unchanged (DESIGN.md 8)."""

_PROMETHEUS_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "%": "percent", "1": ""}


def attribute(name: str) -> str:
    """The OpenTelemetry name of an attribute of the policy language."""
    return ATTRIBUTES.get(name, name)


def prometheus_label(name: str) -> str:
    """An attribute name as Prometheus spells it: `slo.name` becomes `slo_name`."""
    label = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"key_{label}" if label[:1].isdigit() else label


def prometheus_metric(name: str, unit: str, *, monotonic: bool = False) -> str:
    """A metric name as Prometheus spells it: tokens joined by `_`, the unit and `_total` or `_ratio` appended."""
    tokens = [token for token in re.split(r"[^A-Za-z0-9:]", name) if token]
    suffix = "" if "{" in unit else _PROMETHEUS_UNITS.get(unit, unit)
    if suffix and suffix not in tokens:
        tokens.append(suffix)
    last = "total" if monotonic else "ratio" if unit == "1" else None
    if last is not None:
        tokens = [token for token in tokens if token != last] + [last]
    joined = "_".join(tokens)
    return f"_{joined}" if joined[:1].isdigit() else joined
