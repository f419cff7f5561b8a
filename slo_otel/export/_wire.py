"""OTLP's protobuf encoding of our own metrics: what the SDK's encoder would send, at a tenth of its cost.

The SDK builds an object for every attribute of every point, which costs more than everything else of an export
together. A test parses our bytes and compares them with the SDK's. Field numbers are those of
opentelemetry/proto/metrics/v1/metrics.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar

from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram,
    Gauge,
    Histogram,
    Metric,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from slo_otel.export._paced import Points
from slo_otel.export._protobuf import field, header, pair, small, text, varint
from slo_otel.export._wire_points import explicit, exponential, gauge, number

P = TypeVar("P")


Parts: TypeAlias = list[bytes]
"""A few pieces, joined once at the end: a request is large, and copying it at each level holds everybody up."""


def encode(data: MetricsData) -> bytes:
    """An `ExportMetricsServiceRequest`. Raises `TypeError` for a kind of metric that we do not make."""
    return b"".join(part for resource in data.resource_metrics for part in _message(1, _resource(resource)))


def _resource(of: ResourceMetrics) -> Parts:
    resource = b"".join(pair(1, key, value) for key, value in of.resource.attributes.items())
    scopes = (part for scope in of.scope_metrics for part in _message(2, _scope(scope)))
    return [field(1, resource), *scopes, text(3, of.resource.schema_url)]


def _scope(of: ScopeMetrics) -> Parts:
    scope = text(1, of.scope.name) + text(2, of.scope.version)
    metrics = (part for metric in of.metrics for part in _message(2, _metric(metric)))
    return [field(1, scope), *metrics, text(3, of.scope.schema_url)]


def _metric(metric: Metric) -> Parts:
    return [text(1, metric.name) + text(2, metric.description) + text(3, metric.unit), *_data(metric.data)]


def _data(data: Gauge | Sum | Histogram | ExponentialHistogram) -> Parts:
    match data:
        case Gauge(points):
            return _message(5, [_points(points, gauge)])
        case Sum(points, temporality, monotonic):
            return _message(7, [_points(points, number), small(2, temporality), small(3, monotonic)])
        case Histogram(points, temporality):
            return _message(9, [_points(points, explicit), small(2, temporality)])
        case ExponentialHistogram(points, temporality):
            return _message(10, [_points(points, exponential), small(2, temporality)])
        case other:
            raise TypeError(f"no OTLP encoding for {type(other).__name__}")


def _message(at: int, parts: Parts) -> Parts:
    return [header(at, sum(map(len, parts))), *parts]


def _points(points: Sequence[P], encoded: Callable[[P], bytes]) -> bytes:
    """Field 1, repeated. Ours know how they are encoded, without an object of the SDK for each."""
    written: Iterable[bytes] | None = points.written() if isinstance(points, Points) else None
    if written is None:
        written = map(encoded, points)
    return b"".join([b"\x0a%b%b" % (varint(len(point)), point) for point in written])
