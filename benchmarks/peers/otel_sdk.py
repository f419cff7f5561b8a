"""The OpenTelemetry SDK: instruments, and the providers that the instrumentations are given.

Providers are handed over and never set globally: a global one would switch on FastAPI's own telemetry in every
variant, the bare one included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

ATTRIBUTES: Mapping[str, str | int] = {
    "http.request.method": "GET",
    "http.route": "/r/0",
    "http.response.status_code": 200,
    "url.scheme": "http",
}
"""Those that the HTTP semantic conventions require of `http.server.request.duration`."""
EXPORT_INTERVAL_MS = 5_000


class NullMetrics(MetricExporter):
    """Takes metrics and forgets them."""

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_kwargs: object
    ) -> MetricExportResult:
        """Always a success."""
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is kept."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_kwargs: object) -> None:
        """Nothing is held."""


class NullSpans(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Always a success."""
        return SpanExportResult.SUCCESS


def in_memory() -> MeterProvider:
    """For measurements within one process: nothing is collected while they run."""
    return MeterProvider([InMemoryMetricReader()])


def periodic() -> MeterProvider:
    """For servers: collected and handed to an exporter every five seconds."""
    return MeterProvider([PeriodicExportingMetricReader(NullMetrics(), EXPORT_INTERVAL_MS)])


def traces() -> TracerProvider:
    """Every request is sampled, spans are exported in batches."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(NullSpans()))
    return provider


def histogram(reader: MetricReader | None = None) -> Histogram:
    """`http.server.request.duration` with default buckets."""
    provider = MeterProvider([reader or InMemoryMetricReader()])
    return provider.get_meter("bench").create_histogram("http.server.request.duration", unit="s")


def record() -> Callable[[float], None]:
    """One value into one series. Attributes go with every call: the API has no bound instrument."""
    instrument = histogram()

    def observe(value: float) -> None:
        instrument.record(value, ATTRIBUTES)

    return observe
