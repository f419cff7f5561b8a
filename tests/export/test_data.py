"""What is sent is complete, in chunks, under our scope, and the same after the wire."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import Gauge, HistogramDataPoint, Metric, NumberDataPoint
from opentelemetry.sdk.resources import Resource

from slo_otel import names
from slo_otel.export import ExportTimes, Outgoing, Own, Translation, requests
from slo_otel.export._own import Stopwatch
from slo_otel.export._series import Origins, started
from slo_otel.plan import Fixed, Verdict
from slo_otel.recorder import CellSnapshot
from slo_otel.units import SECOND_NS
from tests.export.samples import BORN, LIMITS, PLAN, bars, cell, numbers, request, snapshot

RESOURCE = Resource({"service.name": "shop"})


OWN_NUMBERS = (
    names.SDK_SERIES,
    names.SDK_OVERFLOW,
    names.SDK_OVERFLOW_VALUES,
    names.SDK_LATE_CHANGES,
    names.SDK_AFTER_BODY,
    names.SDK_DETACHED,
    names.SDK_DROPPED,
    names.SDK_FAULTS,
    names.SDK_CPU_TIME,
)


def _outgoing(own: Own | None = None) -> Outgoing:
    return Outgoing(snapshot(cell(request(200), [0.1])), None, own or Own(LIMITS, 7, 1_500_000_000))


def _gauge(name: str, points: int) -> Metric:
    return Metric(name, "", "1", Gauge(tuple(NumberDataPoint({"at": at}, 0, 1, at) for at in range(points))))


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 7))
def test_chunks_hold_every_point_once_in_order_and_never_too_many(sizes: list[int], limit: int) -> None:
    """However metrics are cut into requests, nothing is lost, doubled or reordered."""
    metrics = [_gauge(f"m{at}", size) for at, size in enumerate(sizes)]
    cut = []
    for data in requests(metrics, RESOURCE, limit):
        found = [
            (metric.name, point.attributes)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]
        assert 1 <= len(found) <= limit
        cut += found
    assert cut == [(metric.name, point.attributes) for metric in metrics for point in metric.data.data_points]


def test_our_metrics_are_in_one_scope_of_one_resource() -> None:
    """The scope is `slo_otel`, whoever else exports from the process."""
    (data,) = requests(Translation(PLAN, BORN).metrics(_outgoing()), RESOURCE)
    (resource,) = data.resource_metrics
    (scope,) = resource.scope_metrics
    assert resource.resource is RESOURCE
    assert scope.scope.name == "slo_otel"


def test_the_sdk_encodes_what_we_build() -> None:
    """The protobuf message has our counters, histograms without minimum, and start times."""
    (data,) = requests(Translation(PLAN, BORN).metrics(_outgoing()), RESOURCE)
    (scope,) = encode_metrics(data).resource_metrics[0].scope_metrics
    found = {metric.name: metric for metric in scope.metrics}
    events = found[names.EVENTS].sum
    assert (events.is_monotonic, events.aggregation_temporality) == (True, 2)
    assert all(0 < point.start_time_unix_nano < point.time_unix_nano for point in events.data_points)
    duration = found[names.DURATION].histogram.data_points[0]
    assert (duration.count, sum(duration.bucket_counts), duration.HasField("min")) == (1, 1, False)


def test_the_sdk_says_what_it_costs_and_what_it_dropped() -> None:
    """Whatever the SDK promises to count has a metric: series, overflow, late changes, drops, faults, CPU."""
    watch = Stopwatch()
    watch.note(0.3, None)
    watch.note(5.0, "timeout")
    own = Own(LIMITS, 7, 1_500_000_000, watch.read())
    found = {metric.name: metric for metric in Translation(PLAN, BORN).metrics(_outgoing(own))}
    assert [numbers(found[name])[()] for name in OWN_NUMBERS] == [2, 3, 5, 6, 8, 9, 4, 7, 1.5]
    times = bars(found[names.SDK_EXPORT_DURATION])
    assert [(times[key].count, times[key].sum) for key in ((), (("error.type", "timeout"),))] == [
        (1, 0.3),
        (1, 5.0),
    ]


def test_a_metric_without_points_is_not_sent() -> None:
    """An SDK whose exports have no times yet sends no empty histogram."""
    empty = Translation(replace(PLAN, slos=()), BORN).metrics(_outgoing(Own(LIMITS, 0, 0, ExportTimes())))
    assert [metric.name for metric in empty] == list(OWN_NUMBERS)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=10))
def test_a_start_is_constant_and_before_every_time(points: list[tuple[int, int]]) -> None:
    """Whatever order cells and ticks come in, a start only gives way where the clock is behind it."""
    origins = Origins(0)
    given_first = min(points[0][0], points[0][1] - 1)
    for born, time in points:
        member = (cell(request(200), born=born), Fixed(Verdict.GOOD))
        told, since = origins.of(("slo", (("region", "eu"),)), [member], time)
        assert told == {"slo.name": "slo", "cloud.region": "eu"}
        start = started(since, time)
        assert start < time
        assert start == min(given_first, time - 1)


KEYS = (
    request(200),
    request(500),
    request(404, attributes=(("region", "eu"),)),
    request(500, attributes=(("region", "us"),)),
)


@given(st.lists(st.lists(st.integers(0, 2), min_size=len(KEYS), max_size=len(KEYS)), min_size=1, max_size=6))
def test_what_is_added_up_again_and_what_is_kept_give_what_is_added_up_anew(steps: list[list[int]]) -> None:
    """Whichever cells come and change between exports, every number is that of a translation without a memory."""
    lasting = Translation(PLAN, BORN)
    held: list[CellSnapshot | None] = [None] * len(KEYS)
    for at, grown in enumerate(steps, 1):
        for index, more in enumerate(grown):
            before = held[index]
            if more:
                held[index] = cell(KEYS[index], [0.25] * (more + (before.count if before is not None else 0)))
        taken = snapshot(*(found for found in held if found is not None), at=BORN + at * SECOND_NS)
        outgoing = Outgoing(taken, None, Own(LIMITS, 0, 0))
        assert _told(lasting, outgoing) == _told(Translation(PLAN, BORN), outgoing)


def _told(translation: Translation, outgoing: Outgoing) -> dict[tuple[object, ...], tuple[object, ...]]:
    found: dict[tuple[object, ...], tuple[object, ...]] = {}
    for metric in translation.metrics(outgoing):
        for point in metric.data.data_points:
            key = (metric.name, *sorted((point.attributes or {}).items()))
            assert key not in found
            if isinstance(point, HistogramDataPoint):
                found[key] = (point.count, point.sum, point.bucket_counts, point.time_unix_nano)
            elif isinstance(point, NumberDataPoint):
                found[key] = (point.value, point.time_unix_nano)
    return found
