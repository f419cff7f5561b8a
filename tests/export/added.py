"""What a backend adds up of the requests that a Collector took: the last of cumulative points, every delta."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
)
from opentelemetry.sdk.resources import Resource

from slo_otel import names
from slo_otel.export import Outgoing, Translation, requests
from slo_otel.export._wire import encode
from tests.export.samples import BORN, PLAN

Series: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a metric and the attributes of a point."""
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA


class Added:
    """Counts by series, of events and of durations, over all processes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[Series]] = {}
        self.largest = 0
        """Bytes of the largest request."""
        self.requests = 0

    def take(self, body: bytes) -> None:
        """A request that was accepted."""
        request = ExportMetricsServiceRequest.FromString(body)
        with self._lock:
            self.requests += 1
            self.largest = max(self.largest, len(body))
            self.add(MetricsData(resource_metrics=request.resource_metrics))

    def add(self, data: MetricsData) -> None:
        """What a request holds."""
        for resource in data.resource_metrics:
            told = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            counts = self._counts.setdefault(told.get("service.instance.id", ""), Counter())
            for metric in resource.scope_metrics[0].metrics:
                for series, count, delta in _counted(metric):
                    counts[series] = count + (counts[series] if delta else 0)

    @property
    def series(self) -> int:
        """How many series have a point, also of zero."""
        with self._lock:
            return sum(map(len, self._counts.values()))

    def counts(self) -> Counter[Series]:
        """The counts that are not zero."""
        with self._lock:
            return sum((+counts for counts in self._counts.values()), Counter())


def _counted(metric: Metric) -> Iterator[tuple[Series, int, bool]]:
    if metric.name == names.EVENTS:
        delta = metric.sum.aggregation_temporality == DELTA
        yield from ((_series(metric, point), point.as_int, delta) for point in metric.sum.data_points)
    if metric.name == names.DURATION:
        delta = metric.histogram.aggregation_temporality == DELTA
        yield from ((_series(metric, point), point.count, delta) for point in metric.histogram.data_points)


def _series(metric: Metric, point: NumberDataPoint | HistogramDataPoint) -> Series:
    return metric.name, tuple(sorted((pair.key, pair.value.string_value) for pair in point.attributes))


def whole(outgoing: Outgoing) -> Counter[Series]:
    """The counts of an export that nothing happens to."""
    added = Added()
    for request in requests(Translation(PLAN, BORN).metrics(outgoing), Resource({})):
        added.take(encode(request))
    return added.counts()
