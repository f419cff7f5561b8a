"""`slo.events` says what every SLO counted, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import AggregationTemporality, NumberDataPoint, Sum

from slo_otel.export._events import EventSums
from slo_otel.plan import Outcome
from slo_otel.recorder import CellSnapshot
from tests.export.samples import BORN, PLAN, cell, count, numbers, request, snapshot, unanswered

EU = (("region", "eu"),)
THREE = ("success", "speed-p95", "speed-p99")


def _sums() -> EventSums:
    return EventSums(PLAN, BORN)


def _of(slo: str, verdict: str, **more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"slo.name": slo, "slo.verdict": verdict, **more}.items()))


def test_it_is_a_monotonic_cumulative_sum_of_events() -> None:
    """The kind, unit and temporality are those of a counter."""
    metric = _sums().metric(snapshot())
    assert (metric.name, metric.unit) == ("slo.events", "{event}")
    assert isinstance(metric.data, Sum)
    assert metric.data.is_monotonic
    assert metric.data.aggregation_temporality is AggregationTemporality.CUMULATIVE


def test_series_without_dimensions_exist_at_zero_before_any_event() -> None:
    """So the first bad event is an increase; SLOs with dimensions have no series yet, probes never have one."""
    assert numbers(_sums().metric(snapshot())) == {
        **{_of(slo, verdict): 0 for slo in THREE for verdict in ("good", "bad", "excluded")},
        **{_of("payments", verdict): 0 for verdict in ("good", "excluded", "total")},
        _of("seen", "total"): 0,
    }  # fmt: skip


def test_verdicts_are_counted_per_slo() -> None:
    """One event is good to one SLO and bad to another; an excluded one is neither; all are counted exactly."""
    found = numbers(_sums().metric(snapshot(
        cell(request(200), [0.1, 0.3, 0.3]),
        cell(request(503), [0.1]),
        cell(request(404), [0.1, 0.1]),
    )))  # fmt: skip
    assert [found[_of("success", verdict)] for verdict in ("good", "bad", "excluded")] == [3, 1, 2]
    assert [found[_of("speed-p95", verdict)] for verdict in ("good", "bad", "excluded")] == [2, 2, 2]
    assert [found[_of("speed-p99", verdict)] for verdict in ("good", "bad", "excluded")] == [4, 0, 2]
    assert found[_of("seen", "total")] == 6


def test_a_dynamic_series_appears_with_all_its_verdicts_at_once() -> None:
    """The first event of a group makes the zeros of the other verdicts too, under OpenTelemetry's names."""
    found = numbers(_sums().metric(snapshot(cell(request(500, attributes=EU), [0.1]))))
    group = {"cloud.region": "eu", "http.route": "/pay"}
    assert found[_of("by-region", "bad", **group)] == 1
    assert found[_of("by-region", "good", **group)] == 0
    assert found[_of("by-region", "excluded", **group)] == 0


def test_an_sli_with_a_total_sends_what_is_given() -> None:
    """The bad of (good, total) is a difference that may fall, so it is no monotonic sum and not sent."""
    found = numbers(_sums().metric(snapshot(count("paid", 3), count("tried", 5))))
    payments = {key: value for key, value in found.items() if ("slo.name", "payments") in key}
    assert payments == {_of("payments", "good"): 3, _of("payments", "excluded"): 0, _of("payments", "total"): 5}


def test_the_start_of_a_series_is_that_of_its_first_cell_and_never_moves() -> None:
    """A cell that comes later, born earlier or later, does not restart the counter."""
    sums = _sums()
    first = cell(request(200, attributes=EU), [0.1], born=BORN + 5)
    second = cell(request(500, attributes=EU), [0.1], born=BORN + 3)
    starts = [_starts(sums, "by-region", first), _starts(sums, "by-region", first, second)]
    assert starts == [{BORN + 5}, {BORN + 5}]
    assert _starts(sums, "success", first) == {BORN}


def test_a_start_lies_before_the_time_of_its_point() -> None:
    """A cell that is younger than the tick its first point belongs to does not make an invalid point."""
    sums = _sums()
    young = snapshot(cell(request(200, attributes=EU), [0.1], born=BORN + 70), at=BORN + 60)
    points = [point for point in sums.metric(young).data.data_points if isinstance(point, NumberDataPoint)]
    assert {point.time_unix_nano for point in points} == {BORN + 60}
    assert max(point.start_time_unix_nano for point in points) == BORN + 59


def test_a_late_cancellation_is_split_by_the_time_it_took() -> None:
    """A client that leaves at once is excluded, one that leaves late is bad, out of the same cell."""
    left = unanswered(Outcome.CANCELLED)
    found = numbers(_sums().metric(snapshot(cell(left, [1.0, 2.0, 6.0]))))
    assert [found[_of("speed-p95", verdict)] for verdict in ("good", "bad", "excluded")] == [0, 1, 2]


@given(st.lists(st.tuples(st.sampled_from([200, 404, 500]), st.integers(0, 9)), max_size=12))
def test_every_event_is_counted_once_whatever_the_cells(found: list[tuple[int, int]]) -> None:
    """However events are spread over cells, the verdicts of an SLO add up to the events."""
    cells = [
        cell(request(status, reason=f"r{at}"), [0.1] * times) for at, (status, times) in enumerate(found) if times
    ]
    sums = numbers(_sums().metric(snapshot(*cells)))
    events = sum(times for _, times in found)
    for slo in THREE:
        assert sum(sums[_of(slo, verdict)] for verdict in ("good", "bad", "excluded")) == events


def test_an_slo_that_shares_an_indicator_has_its_own_series() -> None:
    """Two list objectives over one indicator are two names with their own thresholds."""
    plan = replace(PLAN, slos=PLAN.slos[2:4])
    found = numbers(EventSums(plan, BORN).metric(snapshot(cell(request(200), [0.3]))))
    assert found[_of("speed-p95", "bad")] == 1
    assert found[_of("speed-p99", "good")] == 1


def _starts(sums: EventSums, slo: str, *cells: CellSnapshot) -> set[int]:
    points = sums.metric(snapshot(*cells)).data.data_points
    return {
        point.start_time_unix_nano
        for point in points
        if isinstance(point, NumberDataPoint) and (point.attributes or {}).get("slo.name") == slo
    }
