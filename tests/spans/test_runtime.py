"""The runtime and traces: when it looks for a tracer, what the environment wants, what an export has."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import pytest
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

import slo_otel
from slo_otel import instrumentation
from slo_otel.errors import ConfigurationError
from slo_otel.names import DURATION, EVENTS
from slo_otel.plan import Category, Match, NameTerm, Plan
from slo_otel.runtime._configure import start
from slo_otel.testing import InMemoryExporter, ManualClock, advance, watch
from tests.instrumentation.asgi_world import availability, latency
from tests.recorder.samples import PLAN as REQUESTS
from tests.spans.traced import Traced

EVERYTHING = Match((NameTerm("pay"),))
PLAN = Plan(
    service="shop",
    step_ns=15 * 10**9,
    slos=(availability(EVERYTHING), latency(EVERYTHING)),
    categories=(Category("money", EVERYTHING),),
)


class Paying:
    """A service with a tracked call that fails when told to, exporting once a minute."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.exporter = InMemoryExporter()
        self.handle = start(PLAN, clock=self.clock, exporter=self.exporter)
        self._pay: Callable[[float, bool], None] = slo_otel.track("pay")(self._paying)

    def _paying(self, seconds: float, fails: bool) -> None:
        self.clock.advance(seconds)
        if fails:
            raise ValueError

    def pays(self, seconds: float = 0.1, *, fails: bool = False) -> None:
        """One call."""
        try:
            self._pay(seconds, fails)
        except ValueError:
            assert fails

    def exported(self, name: str) -> list[Exemplar]:
        """The exemplars of one metric in the next export, and no older ones."""
        self.exporter.exports.clear()
        assert self.handle.flush()
        metrics = self.exporter._metrics(name)
        return [each for metric in metrics for point in metric.data.data_points for each in point.exemplars]


def inside(traces: Traced, doing: Callable[[], None]) -> tuple[int, int]:
    """Do it inside a span; the trace and the span."""
    with traces.tracers.get_tracer("t").start_as_current_span("work") as span:
        doing()
    context = span.get_span_context()
    return context.trace_id, context.span_id


def ids(found: list[Exemplar]) -> set[tuple[int | None, int | None]]:
    """The traces and spans of exemplars."""
    return {(each.trace_id, each.span_id) for each in found}


def test_a_bad_call_is_an_exemplar_of_what_it_was_bad_for(traced: Traced) -> None:
    """Its trace and span, when it ended, and how long it took; in the one export, and in no later one."""
    paying = Paying()
    known = inside(traced, lambda: paying.pays(0.25, fails=True))
    ended_ns = paying.clock.read().wall_ns
    [bad] = paying.exported(EVENTS)
    assert ids([bad]) == {known}
    assert bad.time_unix_nano == ended_ns
    assert dict(bad.filtered_attributes or {})["error_type"] == "ValueError"
    paying.clock.advance(1)
    assert paying.exported(EVENTS) == []


def test_what_did_not_arrive_is_in_the_next_export(traced: Traced) -> None:
    """A Collector that refuses an export gets its exemplars with the next one."""
    paying = Paying()
    known = inside(traced, lambda: paying.pays(fails=True))
    paying.exporter.fails = True
    assert not paying.handle.flush()
    paying.exporter.fails = False
    assert ids(paying.exported(EVENTS)) == {known}


def test_the_slowest_of_each_bucket_are_exemplars_of_durations(traced: Traced) -> None:
    """Good events too, for the histogram."""
    paying = Paying()
    inside(traced, lambda: paying.pays(0.11))
    slow = inside(traced, lambda: paying.pays(0.2))
    other = inside(traced, lambda: paying.pays(0.3))
    found = paying.exported(DURATION)
    assert ids(found) == {slow, other}
    assert [each.value for each in found] == [0.2, 0.3]
    assert paying.exported(EVENTS) == []


def test_a_tracer_that_comes_later_is_found_at_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider may be set after `configure`; calls that were recorded at once are looked at from then on."""
    paying, traces = Paying(), Traced()
    paying.pays(fails=True)
    traces.installed(monkeypatch)
    inside(traces, lambda: paying.pays(fails=True))
    assert paying.exported(EVENTS) == []
    advance(paying.handle, paying.clock, 15)
    known = inside(traces, lambda: paying.pays(fails=True))
    assert ids(paying.exported(EVENTS)) == {known}


def test_after_a_shutdown_nobody_looks_for_a_tracer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that comes late must not make the runtime the active one again."""
    paying = Paying()
    paying.handle.shutdown()
    Traced().installed(monkeypatch)
    paying.handle._tick()
    assert instrumentation.active() is None


@pytest.mark.parametrize(
    ("chosen", "sampler", "expected"),
    [
        ("trace_based", ALWAYS_ON, "its span"),
        ("trace_based", ALWAYS_OFF, "none"),
        ("always_on", ALWAYS_OFF, "its span"),
        ("always_off", ALWAYS_ON, "none"),
    ],
)
def test_the_filter_is_that_of_the_specification(
    chosen: str, sampler: object, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events in sampled spans, all events, or none (metrics/sdk, ExemplarFilter)."""
    monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", chosen)
    traces = Traced(sampler)  # type: ignore[arg-type]  # one of the SDK's samplers
    traces.installed(monkeypatch)
    paying = Paying()
    known = inside(traces, lambda: paying.pays(fails=True))
    assert ids(paying.exported(EVENTS)) == ({known} if expected == "its span" else set())


def test_always_on_needs_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exemplar has a value and a time then, and no ids."""
    monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", "always_on")
    paying = Paying()
    paying.pays(fails=True)
    assert ids(paying.exported(EVENTS)) == {(None, None)}


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("OTEL_METRICS_EXEMPLAR_FILTER", "trace_based, always_on, always_off"),
        ("SLO_OTEL_SPAN_ATTRIBUTES", "none, bad, all"),
    ],
)
def test_a_word_that_nobody_knows_is_refused(variable: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt setting must not turn something off in silence."""
    monkeypatch.setenv(variable, "sometimes")
    with pytest.raises(ConfigurationError, match=f"{variable} is 'sometimes'; write {words}"):
        Paying()


@pytest.mark.parametrize("wanted", ["", "none", "bad", "all"])
def test_attributes_are_written_where_they_are_asked_for(
    wanted: str, traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bad` writes what was bad or too slow, `all` also what was good; nothing by itself."""
    monkeypatch.setenv("SLO_OTEL_SPAN_ATTRIBUTES", wanted)
    paying = Paying()
    for seconds, fails in ((0.1, False), (0.1, True), (11.0, False)):
        inside(traced, lambda: paying.pays(seconds, fails=fails))  # noqa: B023 - called at once
    good, failed, slow = (dict(each.attributes or {}) for each in traced.spans())
    bad = {"slo.verdict": "bad", "slo.category": "money"}
    if wanted in ("", "none"):
        assert (good, failed, slow) == ({}, {}, {})
        return
    assert failed == {**bad, "slo.name": ("availability",), "slo.outcome": "exception"}
    assert slow == {**bad, "slo.name": ("latency",), "slo.outcome": "success"}
    both = ("availability", "latency")
    fine = {"slo.verdict": "good", "slo.category": "money", "slo.name": both, "slo.outcome": "success"}
    assert good == (fine if wanted == "all" else {})


def test_of_two_events_of_one_span_the_bad_one_stands(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good one that closes later takes nothing back, and two bad ones are both named."""
    monkeypatch.setenv("SLO_OTEL_SPAN_ATTRIBUTES", "all")
    paying = Paying()

    def several() -> None:
        paying.pays(fails=True)
        paying.pays(11.0)
        paying.pays()

    inside(traced, several)
    [told] = [dict(each.attributes or {}) for each in traced.spans()]
    assert told["slo.name"] == ("availability", "latency")
    assert told["slo.verdict"] == "bad"


def test_a_counted_event_is_an_exemplar_of_its_number(traced: Traced) -> None:
    """What is counted as bad has the trace in which it was."""
    clock, exporter = ManualClock(), InMemoryExporter()
    handle = start(REQUESTS, clock=clock, exporter=exporter)
    known = inside(traced, lambda: slo_otel.count("unpaid", 3))
    assert handle.flush()
    found = [
        each
        for metric in exporter._metrics(EVENTS)
        for point in metric.data.data_points
        for each in point.exemplars
    ]
    assert [(each.value, each.trace_id, each.span_id) for each in found] == [(3, *known)]


@pytest.mark.parametrize("plan", [PLAN, replace(PLAN, slos=PLAN.slos[:1])], ids=["latency", "success alone"])
def test_a_call_records_by_itself_what_can_be_no_example(plan: Plan, traced: Traced) -> None:
    """Tracing costs a good call nothing where no histogram shows it."""
    start(plan, clock=ManualClock(), exporter=InMemoryExporter())
    pay: Callable[[], None] = slo_otel.track("pay")(_nothing)
    pay()
    running = instrumentation.active()
    assert running is not None
    told: list[object] = []
    running.spans = _Deaf(told)  # type: ignore[assignment]  # whoever is told of an event says so
    pay()
    assert bool(told) == (plan is PLAN)


def _nothing() -> None:
    """What is tracked."""


class _Deaf:
    """In the place of `Spans`, once the call sites are bound."""

    def __init__(self, told: list[object]) -> None:
        self._told = told

    def closed(self, cell: object, *rest: object) -> None:
        """Remember that somebody said so."""
        self._told.append(cell)

    def watches(self, cell: object) -> bool:
        """Asked at the binding alone."""
        return True


def test_a_tracer_that_comes_later_tells_of_requests_where_exemplars_are_wanted_anyway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `always_on` there are exemplars from the start; the spans of requests are noted once there are some."""
    monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", "always_on")
    paying, traces = Paying(), Traced()
    assert len(processors(traces)) == 1
    traces.installed(monkeypatch)
    advance(paying.handle, paying.clock, 30)
    assert len(processors(traces)) == 2


def processors(traces: Traced) -> tuple[object, ...]:
    """Who is told of spans; the SDK has no public way to ask."""
    found: tuple[object, ...] = traces.tracers._active_span_processor._span_processors
    return found


def test_a_watch_of_a_users_test_leaves_traces_as_they_are(traced: Traced) -> None:
    """`slo_otel.testing` counts events, and they are exemplars all the same."""
    paying = Paying()
    with watch() as seen:
        known = inside(traced, lambda: paying.pays(fails=True))
        seen.assert_slo("availability", bad=1)
    assert ids(paying.exported(EVENTS)) == {known}


def test_a_generator_that_a_collector_closes_belongs_to_no_trace_of_others(traced: Traced) -> None:
    """Closed where it was used, it has that span; closed by chance within another call, it has none."""
    clock, exporter = ManualClock(), InMemoryExporter()
    handle = start(PLAN, clock=clock, exporter=exporter)
    pieces: Callable[[], Generator[int, None, None]] = slo_otel.track("pay")(_counting)

    def used_up() -> None:
        here = pieces()
        next(here)
        clock.advance(20)
        here.close()

    own = inside(traced, used_up)
    left = pieces()
    next(left)
    clock.advance(20)
    other = slo_otel.track("other")(left.close)
    inside(traced, other)
    assert handle.flush()
    metrics = exporter._metrics(DURATION)
    found = [each for metric in metrics for point in metric.data.data_points for each in point.exemplars]
    assert ids(found) == {own}


def _counting() -> Generator[int, None, None]:
    yield from range(9)
