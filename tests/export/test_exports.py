"""The export loop over real sockets: deadlines hold, failures lose nothing, and nobody is bothered twice."""

from __future__ import annotations

import logging
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel import names
from slo_otel.errors import ConfigurationError
from slo_otel.export import Exports, InlineLane, Lane, Outgoing, Own, Source, ThreadLane, Translation, _attempt
from slo_otel.export import _environment as environment
from slo_otel.export._sender import Failure, Sender
from slo_otel.receive import Answer, Receiver
from tests.export.samples import BORN, LIMITS, PLAN, cell, request, snapshot

SECOND = 1_000_000_000
SLACK = 0.2


def _outgoing(good: int, at: int = 60) -> Outgoing:
    taken = snapshot(cell(request(200), [0.1] * good), at=BORN + at * SECOND)
    return Outgoing(taken, None, Own(LIMITS, 0, 0))


def _exports(lane: Lane, given: MetricExporter | None = None, interval_ns: int = SECOND) -> Exports:
    resource = Resource({"service.name": "shop", "service.instance.id": "one"})
    return Exports(Source(given), lane, Translation(PLAN, BORN), lambda: resource, interval_ns)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that the environment points to."""
    with Receiver() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.endpoint)
        yield running


@contextmanager
def _threaded() -> Iterator[Exports]:
    exports = _exports(ThreadLane())
    yield exports
    # An export under way would go on retrying into other tests, drawing its jitter from everybody's generator.
    exports.shutdown(_outgoing(0, at=0), 0.3)


def _took(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def _poll(exports: Exports, seconds: range) -> None:
    for at in seconds:
        exports.poll(at * SECOND)


def _until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Poll a real event with a deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.005)
    return True


def test_the_generator_of_the_host_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jitter of the loop draws nothing from `random`, which a service may have seeded."""
    monkeypatch.delattr(random, "random")
    exports = _exports(InlineLane())
    _poll(exports, range(5))
    assert exports.wait_ns(5 * SECOND) <= SECOND


def test_a_flush_arrives_whole_over_http(receiver: Receiver) -> None:
    """What a backend sums is what was recorded, under the process's identity."""
    with _threaded() as exports:
        assert exports.flush(_outgoing(3), 5.0)
    assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 3
    assert receiver.counter(names.DURATION, slo_name="speed", slo_verdict="valid") == 3
    (point,) = receiver.find(names.DURATION, slo_verdict="valid")
    assert (point.instance, point.service, point.scope) == ("one", "shop", "slo_otel")


def test_what_is_more_than_one_request_arrives_whole(receiver: Receiver) -> None:
    """Thousands of series are spread over requests and none is lost between them."""
    cells = [cell(request(200, attributes=(("region", f"r{at}"),)), [0.1]) for at in range(900)]
    with _threaded() as exports:
        assert exports.flush(Outgoing(snapshot(*cells), None, Own(LIMITS, 0, 0)), 5.0)
        assert receiver.requests == 3
        assert receiver.counter(names.EVENTS, slo_name="by-region", slo_verdict="good") == 900


def test_headers_and_compression_are_those_of_the_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's exporter reads them itself: a packed body with headers arrives."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=a%20b")
    with _threaded() as exports:
        assert exports.flush(_outgoing(2), 5.0)
    assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 2


@pytest.mark.parametrize("answer", [Answer.UNAVAILABLE, Answer.REFUSE, Answer.HANG])
def test_a_failing_collector_costs_a_flush_its_deadline_at_most(receiver: Receiver, answer: Answer) -> None:
    """503, 400 and silence: False in time, though the SDK's own deadlines are not kept."""
    receiver.answer = answer
    with _threaded() as exports:
        assert _took(lambda: exports.flush(_outgoing(1), 0.4)) < 0.4 + SLACK
        assert not exports.flush(_outgoing(1), 0.3)
        assert _took(lambda: exports.shutdown(_outgoing(1), 0.3)) < 0.3 + SLACK
    assert receiver.counter(names.EVENTS) == 0


def test_a_collector_that_comes_later_gets_every_count(receiver: Receiver) -> None:
    """Totals are cumulative: a failed export loses nothing, whatever hung before."""
    with _threaded() as exports:
        for at, answer in enumerate((Answer.UNAVAILABLE, Answer.HANG, Answer.REFUSE)):
            receiver.answer = answer
            assert not exports.flush(_outgoing(at + 1, 60 + at), 0.25)
        receiver.answer = Answer.ACCEPT
        assert exports.flush(_outgoing(4, 70), 5.0)
    assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 4


def test_a_connection_that_never_answers_does_not_hold_the_next_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector's pod that vanished holds nobody up; its successor on the same address gets everything."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "30")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        with _threaded() as exports:
            assert not exports.flush(_outgoing(1), 0.5)
            held, _ = silent.accept()
            silent.close()
            with held, Receiver(port) as receiver:
                assert exports.flush(_outgoing(2), 3.0)
                assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 2


def test_where_nobody_listens_a_flush_gives_up_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A developer without a Collector does not wait five seconds at every Ctrl-C, and reads one short line."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    with _threaded() as exports:
        exports.flush(_outgoing(1), 5.0)  # imports the exporter
        assert _took(lambda: exports.flush(_outgoing(1), 5.0)) < 1.0
        assert not exports.flush(_outgoing(1), 5.0)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "slo_otel"]
    assert said.startswith(f"slo_otel: no export to http://127.0.0.1:{port} (Connection refused); ")


def test_failures_are_told_once_and_so_is_the_recovery(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning when exports begin to fail, one line when they work again, and none of the SDK's."""
    caplog.set_level(logging.INFO)
    with _threaded() as exports:
        receiver.answer = Answer.UNAVAILABLE
        for _ in range(3):
            exports.flush(_outgoing(1), 0.3)
        receiver.answer = Answer.ACCEPT
        for _ in range(2):
            assert exports.flush(_outgoing(1), 5.0)
    said = [record.getMessage() for record in caplog.records if record.name != "urllib3.connectionpool"]
    assert len(said) == 2
    assert said[0].startswith(f"slo_otel: no export to {receiver.endpoint} (Service Unavailable); ")
    assert "arrive again" in said[1]


def test_other_exporters_keep_their_voice(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Only what is logged during our own exports is kept quiet."""
    with _threaded() as exports:
        exports.flush(_outgoing(1), 5.0)
    logging.getLogger("opentelemetry.exporter.otlp.proto.http.metric_exporter").warning("the service's own")
    assert [record.getMessage() for record in caplog.records] == ["the service's own"]


def test_a_periodic_export_is_sent_when_due_and_polling_never_waits(receiver: Receiver) -> None:
    """Even while the collector hangs, `poll` returns at once and the ticks go on."""
    receiver.answer = Answer.HANG
    with _threaded() as exports:
        exports.offer(_outgoing(1))
        exports.poll(0)
        assert receiver.requests == 0
        assert _took(lambda: exports.poll(SECOND)) < 0.1
        assert receiver.wait(1)
        assert _took(lambda: _poll(exports, range(2, 9))) < 0.1
        assert receiver.requests == 1
        receiver.answer = Answer.ACCEPT


def test_a_periodic_export_that_hangs_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the exporter's timeout a later poll drops it and the next one is sent with everything."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    receiver.answer = Answer.HANG
    with _threaded() as exports:
        exports.offer(_outgoing(1))
        exports.poll(0)
        exports.poll(SECOND)
        assert receiver.wait(1)
        receiver.answer = Answer.ACCEPT
        exports.offer(_outgoing(5, 70))
        steps = iter(range(2, 10_000))

        def arrived() -> bool:
            exports.poll(next(steps) * SECOND)
            return receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 5

        assert _until(arrived)


def test_nothing_new_is_not_sent_again(receiver: Receiver) -> None:
    """An interval shorter than the step does not repeat the same points."""
    exports = _exports(InlineLane())
    exports.offer(_outgoing(1))
    for at in range(4):
        exports.poll(at * SECOND)
    assert receiver.requests == 1
    exports.offer(_outgoing(1, 75))
    exports.poll(5 * SECOND)
    assert receiver.requests == 2


def test_instrumented_http_libraries_do_not_trace_our_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where contrib's instrumentations are installed, exports run under their own switch."""
    inside: list[bool] = []
    switched: list[bool] = []

    @contextmanager
    def suppress() -> Iterator[None]:
        switched.append(True)
        yield
        switched.pop()

    module = ModuleType("opentelemetry.instrumentation.utils")
    vars(module)["suppress_instrumentation"] = suppress
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation", ModuleType("opentelemetry.instrumentation"))
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.utils", module)
    _attempt._suppress_instrumentation.cache_clear()

    def note() -> MetricExportResult:
        inside.append(bool(switched))
        return MetricExportResult.SUCCESS

    assert _exports(InlineLane(), _Given(note)).flush(_outgoing(1), 1.0)
    _attempt._suppress_instrumentation.cache_clear()
    assert (inside, switched) == ([True], [])


def test_what_is_sent_never_goes_back() -> None:
    """A flush that was overtaken by a newer snapshot sends the newer one: no total falls."""
    sent: list[int] = []
    given = _Recording(sent)
    exports = _exports(InlineLane(), given)
    newer = replace(_outgoing(5, 70).snapshot, taken_mono_ns=2)
    older = replace(_outgoing(1, 60).snapshot, taken_mono_ns=1)
    exports.offer(Outgoing(newer, None, Own(LIMITS, 0, 0)))
    assert exports.flush(Outgoing(older, None, Own(LIMITS, 0, 0)), 1.0)
    assert sent == [BORN + 70 * SECOND]


class _Given(MetricExporter):
    """An exporter of the user's: it hangs, raises, refuses or accepts as told."""

    def __init__(self, behave: Callable[[], MetricExportResult]) -> None:
        super().__init__()
        self.behave = behave
        self.calls = 0
        self.closed = 0

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        self.calls += 1
        return self.behave()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        self.closed += 1


def test_a_given_exporter_that_raises_or_refuses_is_a_failed_export(caplog: pytest.LogCaptureFixture) -> None:
    """Foreign code is not a fault of ours: it is told once and the loop goes on."""

    def fail() -> MetricExportResult:
        raise KeyError("theirs")

    given = _Given(fail)
    exports = _exports(InlineLane(), given)
    assert not exports.flush(_outgoing(1), 1.0)
    given.behave = lambda: MetricExportResult.FAILURE
    assert not exports.flush(_outgoing(1), 1.0)
    given.behave = lambda: MetricExportResult.SUCCESS
    assert exports.shutdown(_outgoing(1), 1.0)
    assert (given.calls, given.closed) == (3, 1)
    assert "_Given ('theirs')" in caplog.text
    errors = {error for error, _, _ in exports.times().by_error}
    assert errors == {None, "KeyError", "rejected"}


def test_a_given_exporter_that_hangs_is_waited_for_but_not_by_us() -> None:
    """It cannot be replaced, so its thread is kept; deadlines hold, and it is used again when it comes back."""
    release = threading.Event()

    def hang() -> MetricExportResult:
        release.wait(10)
        return MetricExportResult.SUCCESS

    given = _Given(hang)
    exports = _exports(ThreadLane(), given)
    assert _took(lambda: exports.flush(_outgoing(1), 0.2)) < 0.2 + SLACK
    assert not exports.flush(_outgoing(1), 0.1)
    assert given.calls == 1
    release.set()
    assert exports.flush(_outgoing(1), 5.0)
    assert given.calls == 2
    assert exports.shutdown(_outgoing(1), 5.0)


def test_a_given_otlp_exporter_survives_a_collector_that_is_away() -> None:
    """It is the user's: a flush that gives up does not shut it down, and it delivers when the Collector is back."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = OTLPMetricExporter(f"http://127.0.0.1:{port}/v1/metrics", timeout=0.3)
    exports = _exports(ThreadLane(), given)
    assert not exports.flush(_outgoing(1), 2.0)
    with Receiver(port) as receiver:
        assert exports.flush(_outgoing(2), 5.0)
        assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 2
        assert exports.shutdown(_outgoing(2), 5.0)


def test_a_hanging_collector_costs_no_thread(receiver: Receiver) -> None:
    """However often it hangs: the thread that waits is woken up and goes on with the next export."""
    receiver.answer = Answer.HANG
    with _threaded() as exports:
        for _ in range(12):
            assert not exports.flush(_outgoing(1), 0.02)
        assert [thread.name for thread in threading.enumerate()].count("slo-otel-export") == 1
        receiver.answer = Answer.ACCEPT
        assert exports.flush(_outgoing(1), 5.0)


class _Stuck(Source):
    """Senders that cannot be stopped, as one in a look-up of a name cannot, until they are released."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def make(self) -> Sender:
        return _StuckSender(self.release)


class _StuckSender:
    def __init__(self, release: threading.Event) -> None:
        self._release = release

    def send(self, data: MetricsData, deadline: float, *, patient: bool) -> Failure | None:
        self._release.wait(30)
        return None

    def stop(self) -> None:
        """In vain."""

    def close(self) -> None:
        """Nothing is open."""


def test_threads_that_cannot_be_stopped_are_given_up_and_bounded() -> None:
    """A handful and not one a minute, deadlines hold, and when they end exports go on."""
    source = _Stuck()
    before = threading.active_count()
    exports = Exports(source, ThreadLane(), Translation(PLAN, BORN), lambda: Resource({}), SECOND)
    assert _took(lambda: exports.flush(_outgoing(1), 0.05)) < 0.05 + SLACK
    for _ in range(7):
        assert not exports.flush(_outgoing(1), 0.01)
    assert [thread.name for thread in threading.enumerate()].count("slo-otel-export") <= 6
    assert {error for error, _, _ in exports.times().by_error} == {None, "timeout", "busy"}
    source.release.set()
    assert _until(lambda: exports.flush(_outgoing(1), 0.5))
    assert exports.shutdown(_outgoing(1), 0.5)
    assert _until(lambda: threading.active_count() <= before)


def test_without_a_source_nothing_is_sent_and_nothing_fails() -> None:
    """A disabled SDK flushes successfully: there is nothing to deliver."""
    resource = Resource({})
    exports = Exports(None, InlineLane(), Translation(PLAN, BORN), lambda: resource, SECOND)
    exports.offer(_outgoing(1))
    exports.poll(0)
    exports.poll(9 * SECOND)
    assert exports.flush(_outgoing(1), 0.0)
    assert exports.shutdown(_outgoing(1), 0.0)
    assert exports.times().by_error == ((None, (0,) * 15, 0.0),)


@pytest.mark.parametrize(
    ("variables", "sends"),
    [
        ({}, True),
        ({"OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_METRICS_EXPORTER": "none"}, False),
        ({"OTEL_METRICS_EXPORTER": "prometheus,otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_the_environment_decides_whether_to_send(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sends: bool
) -> None:
    """The specification's switches work as the SDK's do; the default is to send."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment.wanted() is sends


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("OTEL_METRICS_EXPORTER", "prometheus", "otlp,prometheus or none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "15s", "milliseconds"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "milliseconds"),
    ],
)
def test_an_environment_that_cannot_work_is_refused_with_a_fix(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, fix: str
) -> None:
    """A mistake is raised when configuring, not logged every minute."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=fix):
        environment.wanted() and environment.interval_ns()


def test_interval_and_patience_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliseconds for the interval, the exporter's own timeout (at most 30 s) for one export."""
    assert (environment.interval_ns(), environment.patience()) == (60 * SECOND, 5.0)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "250")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10000")
    assert (environment.interval_ns(), environment.patience()) == (SECOND // 4, 30.0)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "soon")
    assert environment.patience() == 5.0


class _Recording(_Given):
    """Notes the time of the first point of each export."""

    def __init__(self, sent: list[int]) -> None:
        super().__init__(lambda: MetricExportResult.SUCCESS)
        self._sent = sent

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        metrics = metrics_data.resource_metrics[0].scope_metrics[0].metrics
        self._sent.append(metrics[0].data.data_points[0].time_unix_nano)
        return super().export(metrics_data, timeout_millis, **kwargs)
