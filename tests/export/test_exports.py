"""The export loop over real sockets: deadlines hold, failures lose nothing, and nobody is bothered twice."""

from __future__ import annotations

import logging
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType

import pytest
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel import names
from slo_otel.export import Exports, InlineLane, Outgoing, Own, Source, ThreadLane, Translation, _attempt
from slo_otel.export._attempt import Attempt
from slo_otel.export._sender import Failure, Sender
from slo_otel.receive import Answer, Receiver
from tests.export.loops import SECOND, SLACK, GivenExporter, fails_in_time, looping, outgoing, took, until
from tests.export.samples import BORN, LIMITS, PLAN, cell, request, snapshot
from tests.patience import in_time, reserved


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that the environment points to."""
    with Receiver() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.endpoint)
        yield running


@contextmanager
def _threaded() -> Iterator[Exports]:
    exports = looping(ThreadLane())
    yield exports
    # An export under way would go on retrying into other tests.
    exports.shutdown(outgoing(0, at=0), 0.3)


def _poll(exports: Exports, seconds: range) -> None:
    for at in seconds:
        exports.poll(at * SECOND)


def test_the_generator_of_the_host_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jitter of the loop draws nothing from `random`, which a service may have seeded."""
    monkeypatch.delattr(random, "random")
    exports = looping(InlineLane())
    _poll(exports, range(5))
    assert exports.wait_ns(5 * SECOND) <= SECOND


def test_a_flush_arrives_whole_over_http(receiver: Receiver) -> None:
    """What a backend sums is what was recorded, under the process's identity."""
    with _threaded() as exports:
        assert exports.flush(outgoing(3), 30.0)
    assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 3
    assert receiver.counter(names.DURATION, slo_name="speed", slo_verdict="valid") == 3
    (point,) = receiver.find(names.DURATION, slo_verdict="valid")
    assert (point.instance, point.service, point.scope) == ("one", "shop", "slo_otel")


def test_what_is_more_than_one_request_arrives_whole(receiver: Receiver) -> None:
    """Thousands of series are spread over requests and none is lost between them."""
    cells = [cell(request(200, attributes=(("region", f"r{at}"),)), [0.1]) for at in range(900)]
    with _threaded() as exports:
        assert exports.flush(Outgoing(snapshot(*cells), None, Own(LIMITS, 0, 0)), 30.0)
        assert receiver.requests == 3
        assert receiver.counter(names.EVENTS, slo_name="by-region", slo_verdict="good") == 900


def test_headers_and_compression_are_those_of_the_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's exporter reads them itself: a packed body with headers arrives."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=a%20b")
    with _threaded() as exports:
        assert exports.flush(outgoing(2), 30.0)
    assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 2


@pytest.mark.parametrize("answer", [Answer.UNAVAILABLE, Answer.REFUSE, Answer.HANG])
def test_a_failing_collector_costs_a_flush_its_deadline_at_most(receiver: Receiver, answer: Answer) -> None:
    """503, 400 and silence: False in time, though the SDK's own deadlines are not kept."""
    receiver.answer = answer
    with _threaded() as exports:
        assert fails_in_time(exports, outgoing(1), 0.4)
    assert in_time(lambda: looping(ThreadLane()).shutdown(outgoing(1), 0.3), 0.3 + SLACK)
    assert receiver.counter(names.EVENTS) == 0


def test_a_collector_that_comes_later_gets_every_count(receiver: Receiver) -> None:
    """Totals are cumulative: a failed export loses nothing, whatever hung before."""
    with _threaded() as exports:
        for at, answer in enumerate((Answer.UNAVAILABLE, Answer.HANG, Answer.REFUSE)):
            receiver.answer = answer
            assert not exports.flush(outgoing(at + 1, 60 + at), 0.25)
        receiver.answer = Answer.ACCEPT
        assert exports.flush(outgoing(4, 70), 30.0)
    assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 4


def test_a_connection_that_never_answers_does_not_hold_the_next_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector's pod that vanished holds nobody up; its successor on the same address gets everything."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "30")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        with _threaded() as exports:
            silent.settimeout(0.0)
            held: list[socket.socket] = []
            assert until(lambda: not exports.flush(outgoing(1), 0.5) and _accepted(silent, held))
            silent.close()
            with held[0], Receiver(port) as receiver:
                assert exports.flush(outgoing(2), 20.0)
                assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 2


def _accepted(server: socket.socket, held: list[socket.socket]) -> bool:
    with suppress(BlockingIOError):
        held.append(server.accept()[0])
    return held != []


def test_where_nobody_listens_a_flush_gives_up_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A developer without a Collector does not wait five seconds at every Ctrl-C, and reads one short line."""
    with reserved() as port:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        with _threaded() as exports:
            exports.flush(outgoing(1), 30.0)  # imports the exporter
            assert took(lambda: exports.flush(outgoing(1), 60.0)) < 10.0
            assert not exports.flush(outgoing(1), 60.0)
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
            exports.flush(outgoing(1), 30.0)
        receiver.answer = Answer.ACCEPT
        for _ in range(2):
            assert exports.flush(outgoing(1), 30.0)
    said = [record.getMessage() for record in caplog.records if record.name != "urllib3.connectionpool"]
    assert len(said) == 2
    assert said[0].startswith(f"slo_otel: no export to {receiver.endpoint} (Service Unavailable); ")
    assert "arrive again" in said[1]


def test_a_periodic_export_is_sent_when_due_and_polling_never_waits(receiver: Receiver) -> None:
    """Even while the collector hangs, `poll` returns at once and the ticks go on."""
    receiver.answer = Answer.HANG
    with _threaded() as exports:
        exports.offer(outgoing(1))
        exports.poll(0)
        assert receiver.requests == 0
        assert took(lambda: exports.poll(SECOND)) < 3.0  # the collector would be waited for for ten
        assert receiver.wait(1, 30)
        assert took(lambda: _poll(exports, range(2, 9))) < 3.0
        assert receiver.requests == 1
        receiver.answer = Answer.ACCEPT


def test_a_periodic_export_that_hangs_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the exporter's timeout a later poll drops it and the next one is sent with everything."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    receiver.answer = Answer.HANG
    with _threaded() as exports:
        exports.offer(outgoing(1))
        exports.poll(0)
        exports.poll(SECOND)
        assert receiver.wait(1, 30)
        receiver.answer = Answer.ACCEPT
        exports.offer(outgoing(5, 70))
        steps = iter(range(2, 10_000))

        def arrived() -> bool:
            exports.poll(next(steps) * SECOND)
            return receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 5

        assert until(arrived)


def test_nothing_new_is_not_sent_again(receiver: Receiver) -> None:
    """An interval shorter than the step does not repeat the same points."""
    exports = looping(InlineLane())
    exports.offer(outgoing(1))
    for at in range(4):
        exports.poll(at * SECOND)
    assert receiver.requests == 1
    exports.offer(outgoing(1, 75))
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
    _attempt.suppression.cache_clear()

    def note() -> MetricExportResult:
        inside.append(bool(switched))
        return MetricExportResult.SUCCESS

    assert looping(InlineLane(), GivenExporter(note)).flush(outgoing(1), 30.0)
    _attempt.suppression.cache_clear()
    assert (inside, switched) == ([True], [])


def test_a_hanging_collector_costs_no_thread(receiver: Receiver) -> None:
    """However often it hangs: the thread that waits is woken up and goes on with the next export."""
    receiver.answer = Answer.HANG
    with _threaded() as exports:
        for _ in range(12):
            assert not exports.flush(outgoing(1), 0.02)
        assert until(lambda: [thread.name for thread in threading.enumerate()].count("slo-otel-export") == 1)
        receiver.answer = Answer.ACCEPT
        assert exports.flush(outgoing(1), 30.0)


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
        self._release.wait(100)
        return None

    def stop(self) -> None:
        """In vain."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("each", "deadlines"), [(True, [7.0, 9.0, 11.0]), (False, [5.0, 5.0, 5.0])])
def test_a_deadline_is_that_of_a_flush_or_of_each_request(
    monkeypatch: pytest.MonkeyPatch, each: bool, deadlines: list[float]
) -> None:
    """A flush ends in time; a periodic export of many requests ends, however long it takes to make them."""
    now = 0.0
    given: list[float] = []

    class Noting(_StuckSender):
        def send(self, data: MetricsData, deadline: float, *, patient: bool) -> Failure | None:
            given.append(deadline)
            return None

    def requests() -> Iterator[MetricsData]:
        nonlocal now
        for _ in range(3):
            now += 2.0
            yield MetricsData(())

    monkeypatch.setattr(time, "monotonic", lambda: now)
    attempt = Attempt(requests, 5.0, patient=True, each=each)
    assert attempt.send(Noting(threading.Event())) is None
    assert (given, attempt.deadline) == (deadlines, deadlines[-1])


def test_threads_that_cannot_be_stopped_are_given_up_and_bounded() -> None:
    """A handful and not one a minute, deadlines hold, and when they end exports go on."""
    source = _Stuck()
    before = threading.active_count()
    exports = Exports(source, ThreadLane(), Translation(PLAN, BORN), lambda: Resource({}), SECOND)
    assert fails_in_time(exports, outgoing(1), 0.05)
    for _ in range(7):
        assert not exports.flush(outgoing(1), 0.01)
    assert [thread.name for thread in threading.enumerate()].count("slo-otel-export") <= 6
    assert {error for error, _, _ in exports.times().by_error} == {None, "timeout", "busy"}
    source.release.set()
    assert until(lambda: exports.flush(outgoing(1), 1.0))
    assert exports.shutdown(outgoing(1), 30.0)
    assert until(lambda: threading.active_count() <= before)


def test_without_a_source_nothing_is_sent_and_nothing_fails() -> None:
    """A disabled SDK flushes successfully: there is nothing to deliver."""
    resource = Resource({})
    exports = Exports(None, InlineLane(), Translation(PLAN, BORN), lambda: resource, SECOND)
    exports.offer(outgoing(1))
    exports.poll(0)
    exports.poll(9 * SECOND)
    assert exports.flush(outgoing(1), 0.0)
    assert exports.shutdown(outgoing(1), 0.0)
    assert exports.times().by_error == ((None, (0,) * 15, 0.0),)
