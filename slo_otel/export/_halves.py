"""One request becomes two: what is larger than the other side takes is sent in parts."""

from __future__ import annotations

from collections.abc import Iterator

from opentelemetry.sdk.metrics.export import MetricsData

from slo_otel.export._data import requests


def divisible(data: MetricsData) -> bool:
    """Whether a request has more than one point."""
    return _points(data) > 1


def halves(data: MetricsData) -> Iterator[MetricsData]:
    """The points of a request of ours, which has one resource and one scope, in two requests."""
    limit = (_points(data) + 1) // 2
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            yield from requests(scope.metrics, resource.resource, limit)


def _points(data: MetricsData) -> int:
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
