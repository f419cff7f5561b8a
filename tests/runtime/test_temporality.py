"""Delta temporality through the whole runtime: ticks, flushes, a fork and the end add up to what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import Counter as CounterInstrument
from opentelemetry.sdk.metrics import Histogram as HistogramInstrument
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    HistogramDataPoint,
    MetricExporter,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.view import Aggregation, ExponentialBucketHistogramAggregation

from slo_otel import names
from slo_otel.errors import ConfigurationError
from slo_otel.runtime import Handle
from slo_otel.runtime._configure import start
from slo_otel.testing import InMemoryExporter, ManualClock, advance
from slo_otel.units import SECOND_NS
from tests.runtime.samples import BAD, GOOD, PLAN, record

DELTA = AggregationTemporality.DELTA


class _Deltas(InMemoryExporter):
    """Prefers deltas, and exponential histograms if told so."""

    def __init__(self, *, exponential: bool = False) -> None:
        super().__init__()
        kind: dict[type, Aggregation] = {HistogramInstrument: ExponentialBucketHistogramAggregation()}
        MetricExporter.__init__(
            self, {CounterInstrument: DELTA, HistogramInstrument: DELTA}, kind if exponential else None
        )


def _points(sink: InMemoryExporter, name: str) -> Iterator[NumberDataPoint | HistogramDataPoint]:
    for data in sink.exports:
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            if metric.name == name:
                for point in metric.data.data_points:
                    assert isinstance(point, NumberDataPoint | HistogramDataPoint)
                    yield point


def _events(sink: InMemoryExporter) -> Counter[str]:
    """All deltas of one SLO, by verdict."""
    found: Counter[str] = Counter()
    for point in _points(sink, names.EVENTS):
        told = point.attributes or {}
        if told[names.SLO_NAME] == "pay-success":
            assert isinstance(point, NumberDataPoint)
            assert isinstance(point.value, int)
            found[str(told[names.SLO_VERDICT])] += point.value
    return found


@pytest.fixture
def service() -> Iterator[tuple[Handle, ManualClock, _Deltas]]:
    """A runtime that is driven by hand, and what it exports."""
    clock, sink = ManualClock(), _Deltas()
    handle = start(PLAN, clock=clock, exporter=sink)
    yield handle, clock, sink
    handle.shutdown()


def test_every_event_is_told_once(service: tuple[Handle, ManualClock, _Deltas]) -> None:
    """By a tick, by flushes at the same moment, after an outage, or by the shutdown: the sum is what happened."""
    handle, clock, sink = service
    record(3)
    advance(handle, clock, 61)
    record(2, BAD)
    assert handle.flush()
    record(1)
    assert handle.flush()
    assert handle.flush()
    sink.fails = True
    record(4)
    assert not handle.flush()
    advance(handle, clock, 61)
    sink.fails = False
    record(1, BAD)
    assert handle.shutdown()
    assert _events(sink) == {"good": 8, "bad": 3}
    assert (
        sum(point.count for point in _points(sink, names.DURATION) if isinstance(point, HistogramDataPoint)) == 11
    )


def test_a_forked_child_begins_at_zero(service: tuple[Handle, ManualClock, _Deltas]) -> None:
    """What the parent counted and did not send is the parent's; the child's first point starts at the fork."""
    handle, clock, sink = service
    record(3)
    clock.advance(5)
    forked_ns = clock.read().wall_ns
    handle._after_fork()
    record(2)
    clock.advance(5)
    assert handle.flush()
    assert _events(sink) == {"good": 2}
    assert {point.start_time_unix_nano for point in _points(sink, names.EVENTS)} == {forked_ns}


def test_a_mistyped_preference_is_refused_by_configure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything has started."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "detla")
    with pytest.raises(ConfigurationError, match="write cumulative, delta, lowmemory"):
        start(PLAN)


def test_an_exporter_gets_the_kinds_that_it_prefers() -> None:
    """Deltas and exponential histograms, with nothing else said anywhere."""
    clock, sink = ManualClock(), _Deltas(exponential=True)
    handle = start(PLAN, clock=clock, exporter=sink)
    record(3, GOOD, 0.125)
    clock.advance(1)
    assert handle.shutdown()
    (data,) = sink.exports
    found = {metric.name: metric.data for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    events, durations = found[names.EVENTS], found[names.DURATION]
    assert isinstance(events, Sum)
    assert isinstance(durations, ExponentialHistogram)
    assert events.aggregation_temporality is durations.aggregation_temporality is DELTA
    (point,) = durations.data_points
    assert (point.count, point.sum, point.scale, point.positive.bucket_counts) == (3, 0.375, 3, [3])
    assert point.time_unix_nano - point.start_time_unix_nano == SECOND_NS
