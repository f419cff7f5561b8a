"""The bytes we send are, once parsed, those of the SDK's encoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from slo_otel.evaluation import Scope, StatusSet
from slo_otel.export import Kinds, Outgoing, Own, Translation, requests
from slo_otel.export._protobuf import any_value
from slo_otel.export._wire import encode
from slo_otel.plan import Outcome
from tests.export.deltas import DELTAS, EXPONENTIAL_DELTAS
from tests.export.samples import BORN, LIMITS, PLAN, cell, count, request, snapshot, unanswered
from tests.export.test_gauges import AT, STATUS

CUMULATIVE = AggregationTemporality.CUMULATIVE
TIMES = st.integers(0, 2**63)
TEXTS = st.text(max_size=200)
TOLD = st.dictionaries(TEXTS, TEXTS, max_size=4)
VALUES = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
NUMBERS = st.builds(NumberDataPoint, TOLD, TIMES, TIMES, VALUES)
BOUNDS = st.floats(allow_nan=False).map(lambda bound: bound + 0.0)
"""Without the negative zero, which would be encoded as its equal was before; bounds are durations."""
COUNTS = st.lists(st.tuples(BOUNDS, st.integers(0, 2**63)), max_size=20)


@st.composite
def histograms(draw: st.DrawFn) -> HistogramDataPoint:
    """A histogram of any counts at any bounds, without minimum and maximum, as ours are."""
    bars = draw(COUNTS)
    absent: float = None  # type: ignore[assignment]  # the SDK's types do not know that both are optional
    return HistogramDataPoint(
        attributes=draw(TOLD),
        start_time_unix_nano=draw(TIMES),
        time_unix_nano=draw(TIMES),
        count=draw(TIMES),
        sum=draw(st.floats(allow_nan=False)),
        bucket_counts=(*(number for _, number in bars), draw(TIMES)),
        explicit_bounds=tuple(bound for bound, _ in bars),
        min=absent,
        max=absent,
    )


@st.composite
def exponentials(draw: st.DrawFn) -> ExponentialHistogramDataPoint:
    """An exponential histogram of any counts at any offset and scale, without negative values, as ours are."""
    absent: float = None  # type: ignore[assignment]  # the SDK's types do not know that both are optional
    counts = draw(st.lists(st.one_of(st.integers(0, 200), st.integers(0, 2**63)), max_size=20))
    return ExponentialHistogramDataPoint(
        attributes=draw(TOLD),
        start_time_unix_nano=draw(TIMES),
        time_unix_nano=draw(TIMES),
        count=draw(TIMES),
        sum=draw(st.floats(allow_nan=False)),
        scale=draw(st.integers(-11, 20)),
        zero_count=draw(TIMES),
        positive=Buckets(draw(st.integers(-(2**31), 2**31 - 1)) if counts else 0, counts),
        negative=Buckets(0, []),
        flags=0,
        min=absent,
        max=absent,
    )


TEMPORALITIES = st.sampled_from([CUMULATIVE, AggregationTemporality.DELTA])
DATA = st.one_of(
    st.builds(Gauge, st.lists(NUMBERS, min_size=1, max_size=3)),
    st.builds(Sum, st.lists(NUMBERS, min_size=1, max_size=3), TEMPORALITIES, st.booleans()),
    st.builds(Histogram, st.lists(histograms(), min_size=1, max_size=3), TEMPORALITIES),
    st.builds(ExponentialHistogram, st.lists(exponentials(), min_size=1, max_size=3), TEMPORALITIES),
)
METRICS = st.builds(Metric, TEXTS, TEXTS, TEXTS, DATA)
ATTRIBUTES = st.dictionaries(
    st.text(min_size=1, max_size=9),
    st.one_of(
        st.text(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.lists(st.text(), max_size=3),
        st.lists(st.integers(-9, 9), max_size=3),
    ),
    max_size=5,
)


def _same(data: MetricsData) -> None:
    assert ExportMetricsServiceRequest.FromString(encode(data)) == encode_metrics(data)


@given(st.lists(METRICS, max_size=3), ATTRIBUTES)
def test_whatever_the_numbers_the_message_is_the_one_of_the_sdk(
    metrics: list[Metric], resource: dict[str, str | bool | int | float]
) -> None:
    """Any names, attributes, times, values and buckets, under a resource of any attributes."""
    scope = ScopeMetrics(InstrumentationScope("slo_otel", "1.2", "https://example.org/1"), metrics, "")
    of = Resource(resource, "https://example.org/2")
    _same(MetricsData((ResourceMetrics(of, (scope,), ""),)))


@pytest.mark.parametrize("kinds", [Kinds(), DELTAS, EXPONENTIAL_DELTAS, Kinds(exponential=True)])
def test_what_a_service_sends_is_the_message_of_the_sdk(kinds: Kinds) -> None:
    """Counters, histograms, evaluated and promised gauges and our own numbers, in several requests."""
    cells = (
        cell(request(200), [0.1, 0.3]),
        cell(request(500, attributes=(("region", "eu"),)), [0.2]),
        cell(unanswered(Outcome.CANCELLED), [9.0]),
        count("paid", 3),
    )
    statuses = StatusSet(AT, Scope.PROCESS, "shop", (STATUS,))
    outgoing = Outgoing(snapshot(*cells), statuses, Own(LIMITS, 7, 1_500_000_000))
    sent = tuple(requests(Translation(PLAN, BORN, kinds).metrics(outgoing), Resource({"service.name": "shop"}), 10))
    assert len(sent) > 3
    for data in sent:
        _same(data)


def test_a_metric_that_we_do_not_make_is_refused() -> None:
    """Silence would be a metric that never arrives."""
    unknown: Gauge = "a summary"  # type: ignore[assignment]  # what a later SDK may have
    metric = Metric("m", "", "", unknown)
    scope = ScopeMetrics(InstrumentationScope("slo_otel"), (metric,), "")
    with pytest.raises(TypeError, match="no OTLP encoding for str"):
        encode(MetricsData((ResourceMetrics(Resource({}), (scope,), ""),)))


def test_an_attribute_that_is_nothing_of_the_specification_is_refused() -> None:
    """A resource that the SDK itself lets through has none of these."""
    with pytest.raises(TypeError, match="object"):
        any_value(object())
