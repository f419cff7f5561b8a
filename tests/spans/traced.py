"""An OpenTelemetry SDK with its spans and metrics in memory, and applications with its instrumentations around."""

from __future__ import annotations

from collections import Counter

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler


class Traced:
    """A tracer and a meter provider with what they got."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(sampler=sampler)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meters = MeterProvider([self._reader])

    def installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make its tracers the process's ones; the API lets that be said once, so it is put there."""
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", self.tracers)

    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that ended, in that order."""
        return self._exporter.get_finished_spans()

    def served(self) -> list[ReadableSpan]:
        """Those that stand for a request."""
        return [span for span in self.spans() if span.kind is trace.SpanKind.SERVER]

    def one(self) -> ReadableSpan:
        """The only one of these."""
        (span,) = self.served()
        return span

    def counted(self) -> Counter[str]:
        """Measurements of every histogram, by its name."""
        found: Counter[str] = Counter()
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        found[metric.name] += point.count if isinstance(point, HistogramDataPoint) else 0
        return +found
