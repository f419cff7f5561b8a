"""Our sender against Collectors that misbehave: it says what happened, in time, and reads no more than it must."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel.export import Outgoing, Own, Translation, requests
from slo_otel.export._http import HttpSender
from slo_otel.export._sender import Failure
from slo_otel.export._settings import http
from tests.export.loops import SLACK, took, until
from tests.export.samples import BORN, LIMITS, PLAN, cell, request, snapshot
from tests.patience import in_time
from tests.stress import faulty
from tests.stress.faulty import Behaviour, Faulty, says

PROTOBUF = "Content-Type: application/x-protobuf"
ACCEPTS = says("200 OK", PROTOBUF)


def _data() -> MetricsData:
    outgoing = Outgoing(snapshot(cell(request(200), [0.1])), None, Own(LIMITS, 0, 0))
    (data,) = requests(Translation(PLAN, BORN).metrics(outgoing), Resource({"service.name": "shop"}))
    return data


def _sender(collector: Faulty, monkeypatch: pytest.MonkeyPatch) -> HttpSender:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    return HttpSender(http())


def _send(sender: HttpSender, seconds: float = 30.0, *, patient: bool = False) -> Failure | None:
    return sender.send(_data(), time.monotonic() + seconds, patient=patient)


def _rejected(points: int) -> bytes:
    partial = ExportMetricsPartialSuccess(rejected_data_points=points, error_message="no room")
    return ExportMetricsServiceResponse(partial_success=partial).SerializeToString()


@pytest.mark.parametrize(
    ("behave", "kind", "reason"),
    [
        (says("503 Service Unavailable"), "503", "Service Unavailable"),
        (says("413 Payload Too Large"), "413", "Payload Too Large"),
        (says("302 Found", "Location: https://login/"), "302", "https://login/"),
        (says("200 OK", "Content-Type: text/html; charset=utf-8", body=b"<p>hi"), "text/html", "right address"),
        (says("200 OK", PROTOBUF, body=_rejected(2)), "partial_success", "2 points rejected: no room"),
        (faulty.closes, "ConnectionError", "Remote end closed"),
        (faulty.resets, "ConnectionError", "Connection reset by peer"),
        (faulty.garbles, "ConnectionError", "what"),
    ],
)
def test_what_is_no_success_is_told_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, behave: Behaviour, kind: str, reason: str
) -> None:
    """Statuses, redirects, login pages, refused points and broken connections fail, each with its reason."""
    with Faulty(behave) as collector:
        failure = _send(_sender(collector, monkeypatch))
    assert failure is not None
    assert failure.kind == kind
    assert reason in failure.reason


@pytest.mark.parametrize(
    "behave",
    [
        ACCEPTS,
        says("202 Accepted", "Content-Type: application/json", body=b"{}"),
        says("200 OK", PROTOBUF, body=_rejected(0)),
        says("200 OK", PROTOBUF, body=b"\xff\xff no protobuf"),
        says("204 No Content"),
    ],
)
def test_a_success_is_whatever_a_collector_may_answer(monkeypatch: pytest.MonkeyPatch, behave: Behaviour) -> None:
    """Any 2xx that refuses no point; a warning of a Collector is no failure."""
    with Faulty(behave) as collector:
        assert _send(_sender(collector, monkeypatch)) is None


@pytest.mark.parametrize("behave", [faulty.hangs, faulty.dribbles, faulty.dribbles_a_body])
def test_a_wait_ends_when_it_is_stopped(monkeypatch: pytest.MonkeyPatch, behave: Behaviour) -> None:
    """Silence, and answers of a byte at a time, which no timeout of a socket ever ends."""
    with Faulty(behave) as collector:
        sender = _sender(collector, monkeypatch)
        found: list[Failure | None] = []
        thread = threading.Thread(target=lambda: found.append(_send(sender, 90.0)))
        thread.start()
        assert until(lambda: len(collector.bodies) == 1)
        sender.stop()
        thread.join(20)
        assert not thread.is_alive()
    assert [failure.kind for failure in found if failure is not None] == ["timeout"]
    assert _send(sender) == found[0]


def test_a_silent_collector_costs_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nobody stops the sender, and where the environment allows a request more."""
    with Faulty(faulty.hangs) as collector:
        sender = _sender(collector, monkeypatch)

        def waits() -> None:
            failure = _send(sender, 0.3, patient=True)
            assert failure is not None
            assert failure.kind == "timeout"

        assert took(waits) >= 0.3
        assert in_time(waits, 0.3 + SLACK)


def test_a_body_without_an_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a wrong address pours out is neither kept nor waited for."""
    with Faulty(faulty.pours) as collector:
        sender = _sender(collector, monkeypatch)
        assert took(lambda: _send(sender)) < 10.0
        assert _send(sender) is None


def test_one_connection_carries_every_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept between exports; a new one would cost a handshake each."""
    with Faulty(ACCEPTS) as collector:
        sender = _sender(collector, monkeypatch)
        assert [_send(sender) for _ in range(4)] == [None] * 4
        assert collector.connections == 1
        sender.close()


def test_a_kept_connection_that_is_gone_is_replaced_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Collector that restarted between two exports is no failure, not even for a flush without patience."""
    with Faulty(ACCEPTS) as collector:
        sender = _sender(collector, monkeypatch)
        assert _send(sender) is None
        port = collector.port
        collector.behave = _once(collector, faulty.closes, ACCEPTS)
        assert _send(sender) is None
        assert (collector.port, collector.connections) == (port, 2)


def _once(collector: Faulty, first: Behaviour, then: Behaviour) -> Behaviour:
    def behave(connection: socket.socket, over: threading.Event) -> None:
        collector.behave = then
        first(connection, over)

    return behave


@pytest.mark.parametrize("after", ["0", "Sat, 01 Nov 2025 12:00:00 GMT"])
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_patient_export_comes_again_when_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, status: str, after: str
) -> None:
    """`Retry-After`, in seconds or as a date, decides when; the first failure is forgotten."""
    with Faulty(ACCEPTS) as collector:
        sender = _sender(collector, monkeypatch)

        def comes_again() -> None:
            collector.bodies.clear()
            collector.behave = _once(collector, says(status, f"Retry-After: {after}"), ACCEPTS)
            assert _send(sender, patient=True) is None
            assert len(collector.bodies) == 2
            assert collector.bodies[0] == collector.bodies[1]

        assert in_time(comes_again, 0.7)


@pytest.mark.parametrize(
    ("behave", "patient"),
    [
        (says("503 Service Unavailable", "Retry-After: 3600"), True),
        (says("503 Service Unavailable", "Retry-After: 0"), False),
        (says("400 Bad Request", "Retry-After: 0"), True),
        (says("302 Found", "Location: /"), True),
    ],
)
def test_what_cannot_come_in_time_or_at_all_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, behave: Behaviour, patient: bool
) -> None:
    """After the deadline, without patience, and for what the same request will never get past."""
    with Faulty(behave) as collector:
        sender = _sender(collector, monkeypatch)
        began = time.monotonic()
        assert _send(sender, patient=patient) is not None
        assert time.monotonic() - began < 10.0
        assert len(collector.bodies) == 1


def test_a_pause_before_a_retry_ends_when_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exit does not wait for the next try."""
    with Faulty(says("503 Service Unavailable", "Retry-After: 60")) as collector:
        sender = _sender(collector, monkeypatch)
        thread = threading.Thread(target=lambda: _send(sender, 90.0, patient=True))
        thread.start()
        assert until(lambda: len(collector.bodies) == 1)
        sender.stop()
        thread.join(20)
        assert not thread.is_alive()
