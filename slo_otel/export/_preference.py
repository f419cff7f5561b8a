"""What an exporter that the user gave prefers, found out by the SDK's own reader.

An exporter's preferences are private to the SDK. A reader applies them to what is recorded, and what it would hand
to the exporter shows them: so it is asked once, with a measurement of each kind, and nothing is exported.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    Gauge,
    MetricExporter,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

from slo_otel.export._kinds import CUMULATIVE, Kinds


def preferred(exporter: MetricExporter) -> Kinds:
    """The kinds that `exporter` prefers; cumulative and explicit where it does not say."""
    try:
        found = _asked(exporter)
    except Exception:  # noqa: BLE001 - an exporter is foreign code, and need not even have called its base class
        return Kinds()
    return Kinds(
        found["counter"].temporality,
        found["observed"].temporality,
        found["histogram"].temporality,
        found["histogram"].exponential,
    )


@dataclass(frozen=True, slots=True)
class _Preference:
    temporality: AggregationTemporality = CUMULATIVE
    exponential: bool = False


class _Asking(PeriodicExportingMetricReader):
    """Keeps what it would send. Without an interval it has no thread; nobody shuts it down, nor the exporter."""

    def __init__(self, exporter: MetricExporter) -> None:
        super().__init__(exporter, export_interval_millis=math.inf)
        self.found = dict.fromkeys(("counter", "observed", "histogram"), _Preference())

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> None:
        """The hook that the SDK documents for readers."""
        for resource in metrics_data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    data = metric.data
                    if not isinstance(data, Gauge):
                        exponential = isinstance(data, ExponentialHistogram)
                        self.found[metric.name] = _Preference(data.aggregation_temporality, exponential)


def _asked(exporter: MetricExporter) -> dict[str, _Preference]:
    reader = _Asking(exporter)
    meter = MeterProvider([reader], Resource({}), shutdown_on_exit=False).get_meter("slo_otel")
    meter.create_counter("counter").add(1)
    meter.create_histogram("histogram").record(1)
    meter.create_observable_counter("observed", [_one])
    reader.collect()
    return reader.found


def _one(_: CallbackOptions) -> Iterator[Observation]:
    yield Observation(1)
