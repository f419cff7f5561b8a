"""`slo.operation.duration` gives the slow count of the process exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint

from slo_otel.export._durations import DurationHistograms
from slo_otel.export._events import EventSums
from slo_otel.plan import Outcome
from slo_otel.recorder import CellSnapshot
from tests.export.samples import (
    BORN,
    BOUNDS,
    PATIENCE,
    PLAN,
    at_most,
    bars,
    cell,
    numbers,
    request,
    snapshot,
    unanswered,
)

VALID = (("slo.name", "speed"), ("slo.verdict", "valid"))
EXCLUDED = (("slo.name", "speed"), ("slo.verdict", "excluded"))


def _points(*cells: CellSnapshot) -> tuple[HistogramDataPoint, HistogramDataPoint]:
    found = bars(DurationHistograms(PLAN, BORN).metric(snapshot(*cells)))
    assert set(found) == {VALID, EXCLUDED}
    return found[VALID], found[EXCLUDED]


def test_there_is_one_histogram_per_latency_indicator() -> None:
    """Two objectives over one entry share its histogram; other forms have none."""
    metric = DurationHistograms(PLAN, BORN).metric(snapshot(cell(request(200), [0.1])))
    assert (metric.name, metric.unit) == ("slo.operation.duration", "s")
    assert isinstance(metric.data, Histogram)
    assert set(bars(metric)) == {VALID, EXCLUDED}


def test_every_threshold_is_a_bound_and_every_bound_is_one_of_the_cells() -> None:
    """Otherwise counts at a threshold would be estimates."""
    valid, _ = _points(cell(request(200), [0.1]))
    assert {0.2, 0.4} <= set(valid.explicit_bounds) <= set(BOUNDS)
    assert list(valid.explicit_bounds) == sorted(valid.explicit_bounds)


def test_durations_fall_into_their_buckets() -> None:
    """A duration equal to a bound belongs to the bucket that ends there."""
    valid, excluded = _points(cell(request(200), [0.2, 0.2001, 0.4, 11.0]), cell(request(404), [0.3]))
    assert valid.count == 4
    assert valid.sum == pytest.approx(11.8001)
    assert [at_most(valid, bound) for bound in (0.2, 0.4, 10.0)] == [1, 3, 3]
    assert (excluded.count, excluded.sum, at_most(excluded, 0.4)) == (1, 0.3, 1)


def test_a_timeout_is_slow_at_every_threshold() -> None:
    """It goes into the last bucket although it took little, since it is bad whatever it took."""
    valid, _ = _points(cell(unanswered(Outcome.TIMEOUT), [0.1]))
    assert (valid.count, valid.sum, valid.bucket_counts[-1]) == (1, 0.1, 1)


def test_a_cancelled_cell_is_divided_by_patience_and_so_is_its_sum() -> None:
    """Early leavers keep their distribution among the excluded, late ones are slow; no second is counted twice."""
    left = unanswered(Outcome.CANCELLED)
    valid, excluded = _points(cell(left, [0.3, PATIENCE, 6.0]))
    assert (valid.count, valid.sum, valid.bucket_counts[-1]) == (1, 6.0, 1)
    assert (excluded.count, excluded.sum, at_most(excluded, 0.4)) == (2, 0.3 + PATIENCE, 1)


def test_a_stream_is_timed_to_its_first_byte_and_slow_without_one() -> None:
    """An event stream that was never answered is above every threshold."""
    stream = request(200, event_stream=True)
    valid, _ = _points(cell(stream, [9.0, 9.0, 9.0], first_bytes=[0.1, 0.3]))
    assert valid.count == 3
    assert valid.sum == pytest.approx(0.4)
    assert [at_most(valid, bound) for bound in (0.2, 0.4, 10.0)] == [1, 2, 2]


def test_minimum_and_maximum_are_not_sent() -> None:
    """They say nothing useful of a cumulative series."""
    valid, _ = _points(cell(request(200), [0.1]))
    assert [getattr(valid, field) for field in ("min", "max")] == [None, None]


def test_the_histograms_exist_at_zero_and_start_with_the_process() -> None:
    """A series without dimensions is there before its first event."""
    found = [(point.count, point.sum, point.start_time_unix_nano) for point in _points()]
    assert found == 2 * [(0, 0.0, BORN)]


@given(
    st.lists(st.sampled_from([0.005, 0.1, 0.2, 0.25, 0.4, 1.0, 5.0, 6.0, 30.0]), max_size=20),
    st.lists(st.sampled_from([0.1, 5.0, 6.0]), max_size=5),
    st.lists(st.sampled_from([0.1, 30.0]), max_size=3),
)
def test_count_minus_le_is_the_slow_count_of_the_events(
    answered: list[float], left: list[float], timed_out: list[float]
) -> None:
    """Whatever happened, the histogram and the verdicts of the same snapshot agree at every objective."""
    taken = snapshot(
        cell(request(200), answered),
        cell(unanswered(Outcome.CANCELLED), left),
        cell(unanswered(Outcome.TIMEOUT), timed_out),
    )
    found = bars(DurationHistograms(PLAN, BORN).metric(taken))
    events = numbers(EventSums(PLAN, BORN).metric(taken))
    for slo, threshold in (("speed-p95", 0.2), ("speed-p99", 0.4)):
        slow = found[VALID].count - at_most(found[VALID], threshold)
        assert slow == events[("slo.name", slo), ("slo.verdict", "bad")]
        assert found[EXCLUDED].count == events[("slo.name", slo), ("slo.verdict", "excluded")]
    total = sum(answered) + sum(left) + sum(timed_out)
    assert found[VALID].sum + found[EXCLUDED].sum == pytest.approx(total)
