"""Exemplars: which point shows which event, what it says of it, and that the bytes are the SDK's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogramDataPoint,
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

from slo_otel.export import Kinds, Outgoing, Own, Translation, requests, taken
from slo_otel.export._wire import encode
from slo_otel.names import DURATION, EVENTS
from slo_otel.plan import CellKey, Outcome
from slo_otel.recorder import CellSnapshot, Snapshot
from slo_otel.recorder import Exemplar as Kept
from tests.export.deltas import DELTAS, EXPONENTIAL_DELTAS
from tests.export.samples import BORN, LIMITS, PLAN, cell, count, request, snapshot, unanswered
from tests.export.test_wire import histograms

AT = BORN + 10
KINDS = [Kinds(), DELTAS, EXPONENTIAL_DELTAS, Kinds(exponential=True)]
CUMULATIVE = AggregationTemporality.CUMULATIVE
IDS = st.none() | st.integers(1, 2**64 - 1)
EXEMPLARS = st.builds(
    Exemplar,
    st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3),
    st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)),
    st.integers(0, 2**63),
    IDS,
    IDS | st.integers(2**64, 2**128 - 1),
)
SHOWN = st.lists(EXEMPLARS, max_size=3)
NUMBERS = st.builds(
    NumberDataPoint, st.just({"a": "b"}), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), SHOWN
)
BARS = st.builds(lambda point, shown: replace(point, exemplars=shown), histograms(), SHOWN)


def kept(snap: Snapshot, *found: tuple[CellSnapshot, Kept]) -> Snapshot:
    """The snapshot with these exemplars."""
    return replace(snap, exemplars=tuple((of.key, (each,)) for of, each in found))


def metrics(snap: Snapshot, kinds: Kinds | None = None) -> dict[str, Metric]:
    """What is sent of a snapshot, by name."""
    found = Translation(PLAN, BORN, kinds or Kinds()).metrics(_outgoing(snap))
    return {metric.name: metric for metric in found}


def _outgoing(snap: Snapshot) -> Outgoing:
    return Outgoing(snap, None, Own(LIMITS, 0, 0))


def shown(metric: Metric) -> dict[tuple[str, str], list[tuple[float, int | None]]]:
    """Value and span of the exemplars of each point that has some, by service level and verdict."""
    found: dict[tuple[str, str], list[tuple[float, int | None]]] = {}
    for point in metric.data.data_points:
        each: Sequence[Exemplar] = point.exemplars
        if each:
            told = point.attributes or {}
            found[str(told["slo.name"]), str(told["slo.verdict"])] = [(one.value, one.span_id) for one in each]
    return found


@given(st.lists(NUMBERS, min_size=1, max_size=3), st.lists(BARS, min_size=1, max_size=3))
def test_the_bytes_of_any_exemplar_are_the_ones_of_the_sdk(
    numbers: list[NumberDataPoint], bars: list[HistogramDataPoint]
) -> None:
    """Any value, attributes and ids, or none, on a sum and on a histogram."""
    both = (
        Metric("n", "", "", Sum(numbers, CUMULATIVE, True)),
        Metric("h", "", "", Histogram(bars, CUMULATIVE)),
    )
    scope = ScopeMetrics(InstrumentationScope("slo_otel"), both, "")
    data = MetricsData((ResourceMetrics(Resource({}), (scope,), ""),))
    assert ExportMetricsServiceRequest.FromString(encode(data)) == encode_metrics(data)


@pytest.mark.parametrize("kinds", KINDS)
def test_points_with_exemplars_are_written_as_the_sdk_encodes_them(kinds: Kinds) -> None:
    """Ours are written without a point object; what arrives is that object's encoding, exemplars included."""
    slow, failed = cell(request(200), [0.3, 9.0]), cell(request(500), [0.1])
    unpaid = count("tried", 2)
    snap = kept(
        snapshot(slow, failed, unpaid),
        (slow, Kept(9.0, AT, None, 1, 2)),
        (failed, Kept(0.1, AT, None, 3, 4)),
        (unpaid, Kept(2, AT)),
    )
    found = Translation(PLAN, BORN, kinds).metrics(_outgoing(snap))
    for data in requests(found, Resource({"service.name": "shop"}), 10):
        assert ExportMetricsServiceRequest.FromString(encode(data)) == encode_metrics(data)
    assert any(shown(metric) for metric in found if metric.name == DURATION)
    assert any(shown(metric) for metric in found if metric.name == EVENTS)


def test_a_bad_event_is_shown_where_it_is_bad_and_where_its_duration_is() -> None:
    """Of two bad events the latest, as one event; in the histogram the slowest of each bucket, by its seconds."""
    failed = cell(request(500), [0.1, 0.15, 3.0])
    snap = replace(
        snapshot(failed),
        exemplars=(
            (
                failed.key,
                (Kept(0.1, AT, None, 9, 1), Kept(0.15, AT + 1, None, 9, 2), Kept(3.0, AT - 1, None, 9, 3)),
            ),
        ),
    )
    found = metrics(snap)
    assert shown(found[EVENTS]) == {
        ("success", "bad"): [(1, 2)],
        ("by-region", "bad"): [(1, 2)],
        ("speed-p95", "bad"): [(1, 3)],
        ("speed-p99", "bad"): [(1, 3)],
    }
    assert shown(found[DURATION]) == {("speed", "valid"): [(0.1, 1), (0.15, 2), (3.0, 3)]}


def test_a_good_event_is_an_example_of_a_duration_alone() -> None:
    """It is in its bucket, and no example of what was bad."""
    fine = cell(request(200), [0.3])
    found = metrics(kept(snapshot(fine), (fine, Kept(0.3, AT, None, 9, 1))))
    assert shown(found[DURATION]) == {("speed", "valid"): [(0.3, 1)]}
    assert shown(found[EVENTS]) == {("speed-p95", "bad"): [(1, 1)]}


def test_an_excluded_event_is_among_the_excluded() -> None:
    """A client that left early, and an answer that the policy excludes."""
    early, missing = cell(unanswered(Outcome.CANCELLED), [1.0]), cell(request(404), [2.0])
    snap = kept(snapshot(early, missing), (early, Kept(1.0, AT, None, 9, 1)), (missing, Kept(2.0, AT, None, 9, 2)))
    assert shown(metrics(snap)[DURATION]) == {("speed", "excluded"): [(1.0, 1), (2.0, 2)]}
    assert shown(metrics(snap)[EVENTS]) == {}


def test_a_client_that_left_late_is_bad() -> None:
    """On the other side of the patience that each service level has."""
    late = cell(unanswered(Outcome.CANCELLED), [6.0])
    found = metrics(kept(snapshot(late), (late, Kept(6.0, AT, None, 9, 1))))
    assert shown(found[DURATION]) == {("speed", "valid"): [(6.0, 1)]}
    assert set(shown(found[EVENTS])) == {("speed-p95", "bad"), ("speed-p99", "bad")}


def test_a_stream_is_shown_by_its_first_byte_and_one_without_not_at_all() -> None:
    """The histogram has first bytes, and a stream without one is in no bucket by its value."""
    key = request(200, event_stream=True)
    stream = cell(key, [60.0, 61.0], first_bytes=[0.3])
    both = (Kept(60.0, AT, 0.3, 9, 1), Kept(61.0, AT, None, 9, 2))
    found = metrics(replace(snapshot(stream), exemplars=((key, both),)))
    assert shown(found[DURATION]) == {("speed", "valid"): [(0.3, 1)]}
    assert {name for name, _ in shown(found[EVENTS])} == {"speed-p95", "speed-p99"}


def test_an_exemplar_says_what_the_point_does_not() -> None:
    """The parts of the event's series that are no attributes of the point, as texts; nothing of the resource."""
    key = request(500, reason="stock", attributes=(("environment", "prod"), ("region", "eu")))
    failed = cell(key, [0.1])
    snap = kept(snapshot(failed), (failed, Kept(0.1, AT, None, 9, 1)))
    by_region = {
        str((point.attributes or {})["slo.name"]): dict(point.exemplars[0].filtered_attributes or {})
        for point in metrics(snap)[EVENTS].data.data_points
        if point.exemplars
    }
    rest = {
        "http.request.method": "GET",
        "http.response.status_code": "500",
        "slo.outcome": "error",
        "slo.reason": "stock",
    }
    assert by_region["success"] == {**rest, "http.route": "/pay"}
    assert by_region["by-region"] == rest


def test_an_event_of_an_overflowed_series_says_nothing_of_it() -> None:
    """What its series stands for are many, and the point shows a trace all the same."""
    key: CellKey = request(500)._replace(overflow=True)
    failed = cell(key, [0.1])
    found = metrics(kept(snapshot(failed), (failed, Kept(0.1, AT, None, 9, 1))))
    points = [point for point in found[EVENTS].data.data_points if point.exemplars]
    assert points
    assert all(
        dict(point.exemplars[0].filtered_attributes or {}) == {"slo.category": "overflow"} for point in points
    )


@pytest.mark.parametrize("kinds", [DELTAS, EXPONENTIAL_DELTAS])
def test_a_delta_shows_events_of_its_own_time(kinds: Kinds) -> None:
    """An event that happened before the point starts was another point's example."""
    first = cell(request(500), [0.1])
    second = cell(request(500), [0.1, 0.1])
    translation = Translation(PLAN, BORN, kinds)
    early = snapshot(first)
    for data in requests(translation.metrics(_outgoing(early)), Resource({})):
        taken(data)
    late = replace(early, cells=(second,), taken_wall_ns=early.taken_wall_ns + 10)
    old = (second, Kept(0.1, early.taken_wall_ns - 1, None, 9, 1))
    new = (second, Kept(0.1, early.taken_wall_ns + 5, None, 9, 2))
    for each, spans in ((old, set()), (new, {2})):
        found = {metric.name: metric for metric in translation.metrics(_outgoing(kept(late, each)))}
        seen = {span for name in (EVENTS, DURATION) for one in shown(found[name]).values() for _, span in one}
        assert seen == spans


def test_an_export_has_so_many_exemplars_and_no_more() -> None:
    """Two thousand, however many series there are."""
    cells = [cell(request(500, attributes=(("region", f"r{at}"),)), [0.1]) for at in range(2_100)]
    snap = kept(snapshot(*cells), *((each, Kept(0.1, AT, None, 9, 1)) for each in cells))
    points = metrics(snap)[EVENTS].data.data_points
    assert sum(len(point.exemplars) for point in points if "cloud.region" in (point.attributes or {})) == 2_000


def test_without_exemplars_points_have_none() -> None:
    """A service that nobody traces sends what it always sent."""
    for kinds in KINDS:
        for metric in metrics(snapshot(cell(request(500), [0.1])), kinds).values():
            for point in metric.data.data_points:
                assert not point.exemplars or isinstance(point, ExponentialHistogramDataPoint | NumberDataPoint)
                assert list(point.exemplars) == []
