"""Delta temporality neither loses nor doubles an event, whatever fails between two points."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Metric,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.resources import Resource

from slo_otel import names
from slo_otel.errors import ConfigurationError
from slo_otel.export import (
    Exports,
    InlineLane,
    Kinds,
    Outgoing,
    Own,
    Source,
    Translation,
    _exports,
    kinds,
    requests,
    taken,
)
from slo_otel.export._attempt import Attempt
from slo_otel.export._own import Stopwatch
from slo_otel.export._sender import Failure
from slo_otel.plan import CellKey, Outcome
from tests.export.deltas import (
    DELTA,
    DELTAS,
    EXPONENTIAL_DELTAS,
    Collector,
    Traffic,
    agree,
    chunks,
    points_of,
)
from tests.export.loops import SECOND, GivenExporter
from tests.export.samples import BORN, LIMITS, PLAN, request, snapshot, unanswered

CUMULATIVE = AggregationTemporality.CUMULATIVE
KEYS = (
    request(200),
    request(500),
    request(500, attributes=(("region", "eu"),)),
    request(200, event_stream=True),
    unanswered(Outcome.CANCELLED),
    unanswered(Outcome.TIMEOUT),
)
DURATIONS = (0.0, 1e-6, 0.1, 0.3, 4.9, 5.0, 5.1, 1e5)


Round = tuple[list[tuple[CellKey, float]], int]
"""Events, and how many requests of the export after them are taken before one fails."""
rounds = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(DURATIONS)), max_size=6), st.integers(0, 9)
    ),
    max_size=8,
)
Advance = Callable[[list[MetricsData], int], list[MetricsData]]
"""From the requests of an export and how many arrived to those that are said to be taken."""


def _arrived(sent: list[MetricsData], number: int) -> list[MetricsData]:
    return sent[:number]


def _replay(script: list[Round], advance: Advance = _arrived, kinds: Kinds = DELTAS) -> None:
    """Events and exports in turn, then one that arrives whole."""
    traffic, collector, translation = Traffic(), Collector(), Translation(PLAN, BORN, kinds)
    for events, arriving in [*script, ([], 1_000)]:
        for key, duration in events:
            traffic.record(key, duration)
        sent = list(chunks(translation, traffic.outgoing()))
        for data in islice(sent, arriving):
            collector.take(data)
        for data in advance(sent, arriving):
            taken(data)
    agree(collector, traffic, kinds)


@pytest.mark.parametrize("kinds", [DELTAS, EXPONENTIAL_DELTAS], ids=["explicit", "exponential"])
@settings(max_examples=200)
@given(script=rounds)
def test_what_arrived_adds_up_to_what_happened(kinds: Kinds, script: list[Round]) -> None:
    """Any events and any exports that fail after any request: every count, bucket and start is exact."""
    _replay(script, kinds=kinds)


HALF: list[Round] = [([(KEYS[0], 0.1), (KEYS[2], 0.3)], 1)]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda sent, number: sent if number else [], id="all at once"),
        pytest.param(lambda sent, number: sent, id="on failure too"),
        pytest.param(lambda sent, number: sent[: number + 1], id="one too many"),
        pytest.param(lambda sent, number: sent if number >= len(sent) else [], id="only when all arrived"),
    ],
)
def test_a_checkpoint_that_advances_otherwise_is_noticed(wrong: Advance) -> None:
    """The law above fails for the plausible mistakes, in an export of which the first request arrives."""
    _replay(HALF)
    with pytest.raises(AssertionError):
        _replay(HALF, wrong)


def test_a_series_without_anything_new_has_no_point() -> None:
    """An idle series is told again only with cumulative temporality; so are series that count nothing yet."""
    traffic, translation = Traffic(), Translation(PLAN, BORN, DELTAS)
    assert list(chunks(translation, traffic.outgoing())) == []
    traffic.record(KEYS[0], 0.1)
    for data in chunks(translation, traffic.outgoing()):
        taken(data)
    assert list(chunks(translation, traffic.outgoing())) == []
    assert list(chunks(Translation(PLAN, BORN), traffic.outgoing())) != []


def test_a_point_starts_where_the_last_one_ended_that_arrived() -> None:
    """An export that failed leaves no hole in time; a series that was born in it keeps its own start."""
    traffic, translation = Traffic(), Translation(PLAN, BORN, DELTAS)
    traffic.record(KEYS[0], 0.1)
    ends = {}
    for data in chunks(translation, traffic.outgoing()):
        ends.update({series: point.time_unix_nano for series, point in points_of(data)})
        taken(data)
    traffic.record(KEYS[0], 0.1)
    traffic.record(KEYS[2], 0.1)
    born = traffic.cells[KEYS[2]].start_ns
    assert list(chunks(translation, traffic.outgoing()))  # does not arrive
    traffic.record(KEYS[0], 0.1)
    last = chunks(translation, traffic.outgoing())
    starts = {series: point.start_time_unix_nano for data in last for series, point in points_of(data)}
    assert {start for (_, told), start in starts.items() if ("cloud.region", "eu") in told} == {born}
    assert ends
    assert {series: starts[series] for series in ends} == ends


@pytest.mark.parametrize(("back", "ends"), [(0, 1), (5, 1), (600, 1), (601, -601 * SECOND)])
def test_a_clock_that_steps_back_makes_no_point_end_before_the_last_one(back: int, ends: int) -> None:
    """A receiver that adds deltas up would throw it away; only after ten minutes does a series follow the clock."""
    traffic, translation = Traffic(seconds=3600), Translation(PLAN, BORN, DELTAS)
    found = []
    for after in (60, -back):
        traffic.record(KEYS[0], 0.1)
        (first, *rest) = chunks(translation, traffic.outgoing(after))
        for data in (first, *rest):
            taken(data)
        found.append([point for _, point in points_of(first)])
    for before, then in zip(*found, strict=True):
        assert then.time_unix_nano - before.time_unix_nano == ends
        assert then.start_time_unix_nano == min(before.time_unix_nano, then.time_unix_nano - 1)


def test_what_arrives_after_a_later_export_began_is_not_taken() -> None:
    """The later one may carry the same events; going back to the earlier one would double them for good."""
    traffic, translation = Traffic(), Translation(PLAN, BORN, DELTAS)
    traffic.record(KEYS[0], 0.1)
    given_up = list(chunks(translation, traffic.outgoing()))
    traffic.record(KEYS[0], 0.1)
    collector = Collector()
    for data in chunks(translation, traffic.outgoing()):
        taken(data)
        collector.take(data)
    for data in given_up:
        taken(data)
    traffic.record(KEYS[0], 0.1)
    for data in chunks(translation, traffic.outgoing()):
        collector.take(data)
    agree(collector, traffic, DELTAS)


def test_a_request_whose_answer_was_lost_is_sent_again() -> None:
    """Nobody can know that it arrived. Its events are there twice then, those of the other requests once."""
    traffic, translation, collector = Traffic(), Translation(PLAN, BORN, DELTAS), Collector()
    traffic.record(KEYS[2], 0.1)
    sent = list(chunks(translation, traffic.outgoing()))
    for data in sent:
        collector.take(data)
    for data in sent[1:]:
        taken(data)
    again = [series for data in chunks(translation, traffic.outgoing()) for series, _ in points_of(data)]
    assert again == [series for series, _ in points_of(sent[0])]


def test_an_export_that_nobody_waits_for_tells_nothing() -> None:
    """It must not count as the newest one either: what the current one carries is taken when that arrives."""
    traffic, translation = Traffic(), Translation(PLAN, BORN, DELTAS)
    traffic.record(KEYS[0], 0.1)
    sent = list(chunks(translation, traffic.outgoing()))
    assert translation.metrics(traffic.outgoing(), lambda: False) == ()
    for data in sent:
        taken(data)
    assert list(chunks(translation, traffic.outgoing())) == []


class _Faulty(GivenExporter):
    """Hands what it takes to a collector, and refuses the requests that a script says."""

    def __init__(self, verdicts: list[bool]) -> None:
        super().__init__(lambda: MetricExportResult.SUCCESS if next(answers, True) else MetricExportResult.FAILURE)
        answers = iter(verdicts)
        self.collector = Collector()

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        """Take it, or not."""
        result = super().export(metrics_data, timeout_millis)
        if result is MetricExportResult.SUCCESS:
            self.collector.take(metrics_data)
        return result


@given(st.lists(st.booleans(), max_size=12), rounds)
@settings(max_examples=100)
def test_the_loop_sends_again_what_did_not_arrive_and_nothing_else(
    verdicts: list[bool], script: list[Round]
) -> None:
    """Periodic exports and flushes through one checkpoint, with an exporter that refuses any of the requests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_exports, "requests", partial(requests, limit=4))
        traffic, exporter = Traffic(), _Faulty(verdicts)
        translation = Translation(PLAN, BORN, DELTAS)
        exports = Exports(Source(exporter), InlineLane(), translation, lambda: Resource({}), SECOND)
        for events, number in script:
            for key, duration in events:
                traffic.record(key, duration)
            if number % 2:
                exports.flush(traffic.outgoing(), 30.0)
            else:
                exports.offer(traffic.outgoing())
                exports.poll(traffic.seconds * SECOND)
        assert any(exports.flush(traffic.outgoing(), 30.0) for _ in range(len(verdicts) + 1))
    agree(exporter.collector, traffic, DELTAS)


class _Partial:
    """A sender of which a Collector takes every request, the first one without some of its points."""

    def __init__(self) -> None:
        self.sent: list[MetricsData] = []

    def send(self, data: MetricsData, deadline: float, *, patient: bool) -> Failure | None:
        """Take it."""
        self.sent.append(data)
        return Failure("partial_success", "1 points rejected", arrived=True) if len(self.sent) == 1 else None

    def stop(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


def test_points_that_a_collector_threw_away_are_not_sent_again() -> None:
    """It took the others of the same request, which would be doubled; and the requests after it are sent."""
    traffic, translation, sender = Traffic(), Translation(PLAN, BORN, DELTAS), _Partial()
    traffic.record(KEYS[0], 0.1)
    first = traffic.outgoing()
    failure = Attempt(lambda: chunks(translation, first, limit=1), 5.0, patient=True).send(sender)
    assert failure is not None
    assert failure.kind == "partial_success"
    assert len(sender.sent) > 2
    assert list(chunks(translation, traffic.outgoing())) == []


def _own(outgoing: Own, kind: Kinds, times: int = 1) -> list[dict[str, Metric]]:
    """Our own metrics by name, of so many exports that all arrive."""
    translation = Translation(PLAN, BORN, kind)
    found = []
    for at in range(times):
        metrics = translation.metrics(Outgoing(snapshot(at=BORN + (60 + at) * SECOND), None, outgoing))
        for data in requests(metrics, Resource({})):
            taken(data)
        found.append({metric.name: metric for metric in metrics if metric.name.startswith("slo_otel.")})
    return found


@pytest.mark.parametrize(
    ("written", "counters", "observed"),
    [("", CUMULATIVE, CUMULATIVE), ("Cumulative", CUMULATIVE, CUMULATIVE), (" DELTA ", DELTA, DELTA),
     ("LowMemory", DELTA, CUMULATIVE)],
)  # fmt: skip
def test_temporality_follows_the_environment_by_kind_of_instrument(
    written: str,
    counters: AggregationTemporality,
    observed: AggregationTemporality,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counters and histograms; counters that are read off at an export; never an UpDownCounter (specification)."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", written)
    kind = kinds()
    watch = Stopwatch()
    watch.note(0.1, None)
    (own,) = _own(Own(LIMITS, 7, SECOND, watch.read()), kind)
    sums = {name: metric.data.aggregation_temporality for name, metric in own.items()
            if not isinstance(metric.data, Gauge)}  # fmt: skip
    assert sums.pop(names.SDK_SERIES) is CUMULATIVE
    assert sums.pop(names.SDK_EXPORT_DURATION) is counters
    assert len(sums) == 8
    assert set(sums.values()) == {observed}
    assert (kind.counters, kind.histograms, kind.exponential) == (counters, counters, False)


def test_our_own_counters_are_told_once() -> None:
    """With delta temporality what was sent is not sent again, the number of series always is."""
    watch = Stopwatch()
    watch.note(0.1, None)
    first, second = _own(Own(LIMITS, 7, SECOND, watch.read()), DELTAS, times=2)
    assert len(first) == 10
    assert list(second) == [names.SDK_SERIES]


@pytest.mark.parametrize(
    ("variable", "written"),
    [
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "dleta"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "exponential"),
    ],
)
def test_a_mistyped_preference_is_refused_with_what_to_write(
    variable: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Falling back to cumulative would be a backend without data, found out weeks later."""
    monkeypatch.setenv(variable, written)
    with pytest.raises(ConfigurationError, match=f"{variable} is '{written}'; write "):
        Source()
