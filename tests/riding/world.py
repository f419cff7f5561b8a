"""A service that has OpenTelemetry's SDK already: a provider, a reader, a counter of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.metrics import Counter, MeterProvider
from opentelemetry.sdk import metrics
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from slo_otel.export import RideAlongExporter
from slo_otel.receive import Receiver

NEVER = 3_600_000.0
"""Milliseconds between two exports: nothing goes unasked."""
RESOURCE = Resource({"service.name": "shop", "service.instance.id": "one", "team": "checkout"})


@dataclass(frozen=True, slots=True)
class Service:
    """The service's own telemetry, with our exporter around its exporter."""

    provider: metrics.MeterProvider
    rider: RideAlongExporter
    orders: Counter


@contextmanager
def service(
    exporter: MetricExporter, *, resource: Resource = RESOURCE, interval: float = NEVER, counting: bool = True
) -> Iterator[Service]:
    """A provider of its own, not the global one; shut down at the end, without anything to export."""
    made: list[metrics.MeterProvider] = []

    def provider() -> MeterProvider:
        return made[0]

    rider = RideAlongExporter(exporter, provider=provider)
    reader = PeriodicExportingMetricReader(rider, export_interval_millis=interval)
    made.append(metrics.MeterProvider([reader], resource, shutdown_on_exit=False))
    meter = made[0].get_meter("shop.orders") if counting else metrics.MeterProvider().get_meter("elsewhere")
    try:
        yield Service(made[0], rider, meter.create_counter("orders"))
    finally:
        made[0].shutdown(timeout_millis=1000)


def scopes(receiver: Receiver) -> set[str]:
    """The instrumentation scopes that arrived."""
    return {point.scope for point in receiver.points()}
