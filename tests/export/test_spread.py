"""Exponential histograms hold what happened, in buckets that a brute-force model finds too."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import ExponentialHistogram, ExponentialHistogramDataPoint

from slo_otel.export import Kinds
from slo_otel.export._durations import DurationHistograms, ExponentialDurations, durations
from slo_otel.export._spread import MAX_SIZE, Spread, dense
from slo_otel.plan import Outcome
from slo_otel.recorder import CellSnapshot, bucket_of
from tests.export.samples import BORN, PATIENCE, PLAN, cell, histogram, request, snapshot, unanswered

SECONDS = st.floats(1e-9, 1e9).filter(lambda value: abs(math.log2(value) * 8 - round(math.log2(value) * 8)) > 1e-6)
"""Durations that are not at the edge of a bucket, where a logarithm in doubles may be wrong."""


def _points(*cells: CellSnapshot) -> tuple[ExponentialHistogramDataPoint, ExponentialHistogramDataPoint]:
    metric = ExponentialDurations(PLAN, BORN).metric(snapshot(*cells))
    assert isinstance(metric.data, ExponentialHistogram)
    found = {(point.attributes or {})["slo.verdict"]: point for point in metric.data.data_points}
    return found["valid"], found["excluded"]


def _counted(point: ExponentialHistogramDataPoint) -> Counter[int]:
    return +Counter({point.positive.offset + at: count for at, count in enumerate(point.positive.bucket_counts)})


def _modelled(values: list[float], scale: int) -> Counter[int]:
    """The data model's definition: bucket `i` has the values in `(2^(i/2^scale), 2^((i+1)/2^scale)]`."""
    return Counter(math.ceil(math.log2(value) * 2.0**scale) - 1 for value in values)


@given(st.lists(SECONDS, max_size=20), st.integers(0, 3))
def test_a_point_has_every_value_in_the_bucket_of_its_scale(values: list[float], zeros: int) -> None:
    """However far values are apart: at most 160 buckets, none empty at either end, at the best scale for that."""
    valid, excluded = _points(cell(request(200), [*values, *[0.0] * zeros]))
    counts = valid.positive.bucket_counts
    assert _counted(valid) == _modelled(values, valid.scale)
    assert (valid.count, valid.zero_count) == (len(values) + zeros, zeros)
    assert valid.sum == sum(values)
    assert len(counts) <= MAX_SIZE
    assert not counts or (counts[0] and counts[-1])
    assert excluded.count == 0
    if valid.scale < 3:
        better = _modelled(values, valid.scale + 1)
        assert max(better) - min(better) >= MAX_SIZE


@given(
    st.lists(st.tuples(st.integers(-8192, 8190), st.integers(1, 9)), min_size=1, max_size=9), st.integers(2, 200)
)
def test_a_lower_scale_joins_whole_buckets(pairs: list[tuple[int, int]], size: int) -> None:
    """Whatever doubles there are: nothing is lost, and no index leaves 32 bits."""
    buckets = sorted(Counter(dict(pairs)).items())
    shift, found = dense(buckets, size)
    joined: Counter[int] = Counter()
    for at, count in buckets:
        joined[at >> shift] += count
    assert +Counter({found.offset + at: count for at, count in enumerate(found.bucket_counts)}) == joined
    assert 1 <= len(found.bucket_counts) <= size
    assert abs(found.offset) < 2**31


def test_the_smallest_and_the_largest_doubles_are_within_what_prometheus_takes() -> None:
    """Prometheus drops histograms below scale -4."""
    shift, found = dense([(bucket_of(2.3e-308), 1), (bucket_of(1e308), 1)])
    assert (3 - shift, len(found.bucket_counts)) == (-4, 128)


def test_what_is_bad_by_ruling_is_where_it_took_place() -> None:
    """There is no bucket above all: a time-out after 0.1 s is a duration of 0.1 s."""
    valid, _ = _points(cell(unanswered(Outcome.TIMEOUT), [0.1]), cell(request(200), [0.1, 9.0]))
    assert _counted(valid) == {bucket_of(0.1): 2, bucket_of(9.0): 1}


@given(st.lists(st.sampled_from([0.0, 0.3, 4.8, 4.9, PATIENCE, 5.1, 5.18, 6.0, 1e6])))
def test_those_who_left_are_divided_exactly_though_patience_is_within_a_bucket(left: list[float]) -> None:
    """4.76 to 5.19 s are one bucket: the explicit counts say how many of it are on either side of 5 s."""
    valid, excluded = _points(cell(unanswered(Outcome.CANCELLED), left))
    early, late = [each for each in left if each <= PATIENCE], [each for each in left if each > PATIENCE]
    assert (excluded.count, valid.count) == (len(early), len(late))
    assert _counted(excluded) == Counter(map(bucket_of, filter(None, early)))
    assert _counted(valid) == Counter(map(bucket_of, late))
    assert excluded.sum == pytest.approx(sum(early))
    assert valid.sum == pytest.approx(sum(late))


def test_events_without_a_duration_are_not_in_it() -> None:
    """A stream that was never answered, and a duration that is no number: `slo.events` counts them, as bad."""
    stream = cell(request(200, event_stream=True), [9.0, 9.0, 9.0], first_bytes=[0.1, 0.3])
    valid, _ = _points(stream, cell(request(200), [0.2, float("inf")])._replace(start_ns=BORN))
    assert (valid.count, sum(_counted(valid).values())) == (3, 3)


@given(st.lists(SECONDS, max_size=9), st.lists(SECONDS, max_size=9))
def test_what_was_there_before_can_be_taken_away(one: list[float], other: list[float]) -> None:
    """Counts are integers at one scale, so a delta is exact."""
    first, both = Spread(), Spread()
    first.spread(histogram(one))
    both.spread(histogram(one + other))
    rest = both - first
    assert Counter(dict(rest.buckets)) == Counter(map(bucket_of, other))
    assert bool(rest) == bool(other)
    assert rest.sum == pytest.approx(sum(other), abs=2 * math.ulp(both.sum))


def test_the_kind_of_histogram_is_what_was_asked_for() -> None:
    """Explicit unless the environment or an exporter prefers the other kind."""
    assert isinstance(durations(PLAN, BORN, Kinds()), DurationHistograms)
    assert isinstance(durations(PLAN, BORN, Kinds(exponential=True)), ExponentialDurations)
