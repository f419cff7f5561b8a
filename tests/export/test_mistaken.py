"""An endpoint with the other protocol's port, or a path that nobody serves, is told with what to write instead."""

from __future__ import annotations

import logging
import socket
import threading
from http.client import BadStatusLine

import pytest

from slo_otel.export import InlineLane
from slo_otel.export._mistaken import over_grpc, over_http
from tests.export.loops import looping, outgoing
from tests.stress import faulty
from tests.stress.faulty import Behaviour, Faulty, says

SETTINGS = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00"
"""How a server of HTTP/2 begins (RFC 9113, 3.4): the Collector's gRPC receiver sends this."""
ABORTED = "('Connection aborted.', {!r})"
UPGRADED = ABORTED.format(BadStatusLine(SETTINGS.decode("latin-1")))
RESET = ABORTED.format(ConnectionResetError(104, "Connection reset by peer"))
PARSING = (
    "failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:9: Failed parsing HTTP/2 "
    "(Expected SETTINGS frame as the first frame, got frame type {})"
)
GRPC_INSTEAD = "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc or use port 4318"
HTTP_INSTEAD = "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf or use port 4317"


def _said(caplog: pytest.LogCaptureFixture, endpoint: str, protocol: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one line of the log after a flush that did not arrive, without what stands around the reason."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    exports = looping(InlineLane())
    assert not exports.flush(outgoing(1), 5.0)
    exports.shutdown(outgoing(1), 5.0)
    (said,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    opening = f"slo_otel: no export to {endpoint} ("
    assert said.startswith(opening)
    return said.removeprefix(opening).removesuffix("); totals are kept and sent when it answers")


def _greets(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(SETTINGS)
    faulty.closes(connection, over)


def test_http_to_a_grpc_server_says_grpc(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a port of no meaning: told from its first bytes, in words, with both ways out."""
    with Faulty(_greets) as server:
        said = _said(caplog, server.endpoint, "http/protobuf", monkeypatch)
    assert said == (
        "it does not speak OTLP over HTTP but HTTP/2 alone, as gRPC does: "
        "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or use its port for HTTP, usually 4318"
    )


@pytest.mark.parametrize(
    ("behave", "told"),
    [
        (
            says("400 Bad Request"),
            "does not speak gRPC but HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or",
        ),
        (faulty.garbles, "it does not speak gRPC: is it the right address?"),
    ],
)
def test_grpc_to_an_http_server_says_http(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, behave: Behaviour, told: str
) -> None:
    """From the status that it answers with; where that is not spoken either, nothing is guessed."""
    with Faulty(behave) as server:
        assert told in _said(caplog, server.endpoint, "grpc", monkeypatch)


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed"])
def test_a_path_that_nobody_serves_is_told_with_the_url(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """The URL that was posted to, without its password, and how each of the two variables makes one."""
    with Faulty(says(status)) as server:
        whole = f"http://me:secret@127.0.0.1:{server.port}/metrics"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", whole)
        said = _said(caplog, server.endpoint + "/metrics", "http/protobuf", monkeypatch)
        assert said.startswith(f"{status[4:]} at {server.endpoint}/metrics: ")
        assert "OTEL_EXPORTER_OTLP_ENDPOINT is a base to which /v1/metrics is added" in said
        assert "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is taken whole" in said


@pytest.mark.parametrize(
    ("said", "port", "told"),
    [
        (UPGRADED, 4317, f"it does not speak OTLP over HTTP; 4317 is the usual port of gRPC: {GRPC_INSTEAD}"),
        (RESET, 4317, f"Connection reset by peer; where that is gRPC, as usual at port 4317, {GRPC_INSTEAD}"),
        (RESET, 4318, "Connection reset by peer"),
        (RESET, 9999, "Connection reset by peer"),
        ("[Errno 111] Connection refused", 4317, "Connection refused"),
        (ABORTED.format(BadStatusLine("SSH-2.0\r\n")), 9999, r"its answer is no HTTP: 'SSH-2.0\r\n'"),
        (ABORTED.format(BadStatusLine("x" * 9_999)), 9999, "its answer is no HTTP: '" + "x" * 59 + "…"),
        (ABORTED.format(BadStatusLine("\0\0\x06\x07")), 9999, r"its answer is no HTTP: '\x00\x00\x06\x07'"),
    ],
)
def test_a_port_is_taken_for_a_hint_where_the_answer_fits(said: str, port: int, told: str) -> None:
    """What a server of HTTP/2 says is proof; a reset, which the Collector's makes of it, is none, and says so."""
    assert over_http(said, f"http://localhost:{port}/v1/metrics") == told


@pytest.mark.parametrize("target", ["localhost:{}", "[::1]:{}", "dns:///collector:{}"])
def test_grpc_to_the_port_of_http_says_so(target: str) -> None:
    """In each form that a target has; a port that only ends alike is another one, and so is no port."""
    hint = f"it does not speak gRPC; 4318 is the usual port of OTLP over HTTP: {HTTP_INSTEAD}"
    assert over_grpc(PARSING.format(79), target.format(4318)) == hint
    assert over_grpc(PARSING.format(79), target.format(14318)) == "it does not speak gRPC: is it the right address?"
    for said in (PARSING.format(80), "Received http2 header with status: 404"):
        assert over_grpc(said, "collector").startswith("it does not speak gRPC but HTTP: ")
    for said in (
        "Connection refused",
        "Received http2 header with status: 503",
    ):  # of a proxy, whose server is away
        assert over_grpc(said, target.format(4318)) == said


def test_the_variable_that_is_named_is_the_one_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the one for metrics is set, or an exporter's name says it, setting another would change nothing."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc")
    assert "set OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf" in over_grpc(PARSING.format(80), "a:4318")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp_proto_grpc")
    assert "set OTEL_METRICS_EXPORTER=otlp_proto_http or" in over_grpc(PARSING.format(80), "a:4318")


@pytest.mark.parametrize("words", ["Connection refused", "connect: Connection refused (111)"])
def test_a_refused_connection_reads_alike_whatever_version_of_grpcio_says_it(words: str) -> None:
    """The system's words alone, without the call and the number that older ones put around them."""
    tried = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:9: "
    said = f"{tried}Failed to connect to remote host: {words}"
    assert over_grpc(said, "127.0.0.1:9") == "Connection refused"
