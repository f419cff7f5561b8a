"""A real Collector gets each temporality and each kind of histogram, and has exactly what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
)

from tests.e2e.collected import Counts
from tests.e2e.processes import Collector, Shop, end, eventually, shop

pytestmark = pytest.mark.e2e

Point = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
AGGREGATION = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
ROUNDS = (("good", 7), ("bad", 3), ("good", 5), ("excluded", 2), ("good", 1))
EXPECTED: Counts = Counter(
    {
        ("checkout", "good"): 13,
        ("checkout", "bad"): 3,
        ("checkout", "excluded"): 2,
        ("checkout-latency", "good"): 18,
    }
)


def _metrics(collector: Collector, name: str) -> Iterator[Metric]:
    """A metric in each request that the file exporter wrote, in order."""
    file = collector.directory / "metrics.json"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        for resource in Parse(line, MetricsData()).resource_metrics:
            for scope in resource.scope_metrics:
                yield from (metric for metric in scope.metrics if metric.name == name)


def _labels(point: Point) -> tuple[str, str]:
    labels = {pair.key: pair.value.string_value for pair in point.attributes}
    return labels["slo.name"], labels["slo.verdict"]


def _events(collector: Collector) -> Counts:
    """All delta points of `slo.events`, added up."""
    found: Counts = Counter()
    for metric in _metrics(collector, "slo.events"):
        for point in metric.sum.data_points:
            found[_labels(point)] += point.as_int
    return found


def _buy(collector: Collector, service: Shop, *, told: bool) -> None:
    """Requests in rounds; each is told to the Collector before the next where `told`."""
    requests = 0
    for kind, number in ROUNDS:
        for _ in range(number):
            service.checkout(kind)
        requests += number
        if told:
            eventually(lambda: sum(_events(collector).values()), 2 * requests)


def _follow_each_other(points: list[Point]) -> bool:
    """Whether each point starts where the one before it ended."""
    return all(then.start_time_unix_nano == before.time_unix_nano for before, then in pairwise(points))


def test_deltas_add_up_to_what_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the file, and on the Prometheus page of the Collector, which adds up only what follows without a gap."""
    monkeypatch.setenv(TEMPORALITY, "delta")
    collector = Collector.planned(tmp_path)
    with collector.running(), shop(collector.endpoint, tmp_path, interval_ms=200) as service:
        _buy(collector, service, told=True)
        end(service.child)
        eventually(lambda: _events(collector), EXPECTED)
        eventually(collector.on_page, EXPECTED)
    assert {metric.sum.aggregation_temporality for metric in _metrics(collector, "slo.events")} == {DELTA}
    assert {metric.sum.aggregation_temporality for metric in _metrics(collector, "slo_otel.sdk.series")} == {
        CUMULATIVE
    }
    by_series: dict[tuple[str, str], list[Point]] = {}
    for metric in _metrics(collector, "slo.events"):
        for point in metric.sum.data_points:
            assert point.as_int > 0
            by_series.setdefault(_labels(point), []).append(point)
    assert len(by_series["checkout", "good"]) >= 3
    assert all(map(_follow_each_other, by_series.values()))
    durations = [metric.histogram for metric in _metrics(collector, "slo.operation.duration")]
    assert {each.aggregation_temporality for each in durations} == {DELTA}
    assert sum(point.count for each in durations for point in each.data_points) == 18


@pytest.mark.parametrize(("temporality", "written"), [(CUMULATIVE, "cumulative"), (DELTA, "lowmemory")])
def test_exponential_histograms_hold_every_event(
    temporality: AggregationTemporality.ValueType, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every duration is in a bucket, in both temporalities, and the counts of the SLOs are as ever."""
    monkeypatch.setenv(TEMPORALITY, written)
    monkeypatch.setenv(AGGREGATION, "base2_exponential_bucket_histogram")
    collector = Collector.planned(tmp_path)
    with collector.running(), shop(collector.endpoint, tmp_path, interval_ms=200) as service:
        _buy(collector, service, told=temporality == DELTA)
        end(service.child)
        eventually(collector.on_page, EXPECTED)
    found = [metric.exponential_histogram for metric in _metrics(collector, "slo.operation.duration")]
    assert {each.aggregation_temporality for each in found} == {temporality}
    points = [point for each in found for point in each.data_points if _labels(point)[1] == "valid"]
    counted = points if temporality == DELTA else points[-1:]
    assert sum(point.count for point in counted) == 18
    assert all(point.count == point.zero_count + sum(point.positive.bucket_counts) for point in points)
    assert all(0 < point.sum < 18 * 2.0 for point in counted)
    if temporality == DELTA:
        assert _follow_each_other(list(points))
        assert len(points) >= len(ROUNDS)
