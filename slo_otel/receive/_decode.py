"""The bytes of an OTLP export as points: the same for every transport."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_DELTA,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)

from slo_otel.receive._points import Attributes, Distribution, Point

__all__ = ["TAKEN", "decode"]

TAKEN: Final = ExportMetricsServiceResponse().SerializeToString()
"""The answer to an export: nothing of it was rejected."""

_DataPoint: TypeAlias = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint


def decode(body: bytes) -> tuple[Point, ...]:
    """The points of an `ExportMetricsServiceRequest`. Raises `ValueError` where the bytes are none."""
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError as fault:
        raise ValueError("not an OTLP protobuf request") from fault
    return tuple(_decoded(request))


def _decoded(request: ExportMetricsServiceRequest) -> Iterator[Point]:
    for resource in request.resource_metrics:
        of = dict(_texts(resource.resource.attributes))
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield from _points(metric, of, scope.scope.name)


def _points(metric: Metric, resource: dict[str, str], scope: str) -> Iterator[Point]:
    kind, data, temporality = _data(metric)
    for point in data:
        yield Point(
            instance=resource.get("service.instance.id", ""),
            service=resource.get("service.name", ""),
            scope=scope,
            name=metric.name,
            unit=metric.unit,
            kind=kind,
            attributes=_texts(point.attributes),
            start_ns=point.start_time_unix_nano,
            time_ns=point.time_unix_nano,
            value=_value(point),
            distribution=_distribution(point),
            delta=temporality == AGGREGATION_TEMPORALITY_DELTA,
        )


def _data(metric: Metric) -> tuple[str, Iterable[_DataPoint], int]:
    """Kind, points and temporality, 0 where there is none."""
    match metric.WhichOneof("data"):
        case "sum":
            kind = "counter" if metric.sum.is_monotonic else "updown"
            return kind, metric.sum.data_points, metric.sum.aggregation_temporality
        case "gauge":
            return "gauge", metric.gauge.data_points, 0
        case "histogram":
            return "histogram", metric.histogram.data_points, metric.histogram.aggregation_temporality
        case "exponential_histogram":
            exponential = metric.exponential_histogram
            return "exponential", exponential.data_points, exponential.aggregation_temporality
        case _:
            return "other", (), 0


def _value(point: _DataPoint) -> int | float:
    if not isinstance(point, NumberDataPoint):
        return point.count
    return point.as_int if point.WhichOneof("value") == "as_int" else point.as_double


def _distribution(point: _DataPoint) -> Distribution | None:
    if not isinstance(point, HistogramDataPoint):
        return None
    return Distribution(tuple(point.explicit_bounds), tuple(point.bucket_counts), point.sum)


def _texts(attributes: Iterable[KeyValue]) -> Attributes:
    return tuple(sorted((pair.key, _text(pair.value)) for pair in attributes))


def _text(value: AnyValue) -> str:
    field = value.WhichOneof("value")
    return "" if field is None else str(getattr(value, field))
