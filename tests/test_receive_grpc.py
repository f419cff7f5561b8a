"""The receiver takes over gRPC what it takes over HTTP, from our sender and the SDK's, and fails the same ways."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TypeAlias

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as SdkGrpc
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as SdkHttp
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel.errors import ConfigurationError
from slo_otel.export import Outgoing, Own, Translation, requests
from slo_otel.export._grpc import GrpcSender
from slo_otel.export._http import HttpSender
from slo_otel.export._sender import Failure
from slo_otel.export._settings import grpc as grpc_settings
from slo_otel.export._settings import http as http_settings
from slo_otel.receive import Answer, Receiver
from tests.export.samples import BORN, LIMITS, PLAN, cell, request, snapshot
from tests.patience import reserved

Code = grpc.StatusCode
Exporting: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, bytes]"
SERVICE = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
SECONDS = 30.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on two free ports."""
    with Receiver(grpc_port=0) as running:
        yield running


@contextmanager
def _channel(receiver: Receiver) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(receiver.grpc_endpoint.removeprefix("http://")) as channel:
        yield channel


@pytest.fixture
def export(receiver: Receiver) -> Iterator[Exporting]:
    """The method of the receiver that takes an export, as bytes."""
    with _channel(receiver) as channel:
        yield channel.unary_unary(SERVICE)


def _data() -> MetricsData:
    """What a service of the sample plan sends: sums, gauges, histograms with many attributes."""
    cells = [cell(request(200, attributes=(("region", f"r{at}"),)), [0.1] * 3) for at in range(3)]
    sent = Outgoing(snapshot(*cells), None, Own(LIMITS, 0, 0))
    return next(requests(Translation(PLAN, BORN).metrics(sent), Resource({"service.instance.id": "one"})))


def _body(value: int, padding: int = 0) -> bytes:
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="slo.events")
    metric.sum.is_monotonic = True
    point = metric.sum.data_points.add(as_int=value, time_unix_nano=value)
    point.attributes.append(KeyValue(key="pad", value=AnyValue(string_value="x" * padding)))
    return message.SerializeToString()


def _ended(call: Callable[[], bytes]) -> tuple[grpc.StatusCode, str]:
    """How a call ends that must not succeed."""
    with pytest.raises(grpc.RpcError) as ended:
        call()
    fault: Exception = ended.value
    assert isinstance(fault, grpc.Call)
    return fault.code(), fault.details() or ""


def _by_our_grpc() -> Failure | None:
    sender = GrpcSender(grpc_settings())
    try:
        return sender.send(_data(), monotonic() + SECONDS, patient=True)
    finally:
        sender.close()


def _by_our_http() -> Failure | None:
    sender = HttpSender(http_settings())
    try:
        return sender.send(_data(), monotonic() + SECONDS, patient=True)
    finally:
        sender.close()


def _by(exporter: MetricExporter) -> bool:
    try:
        return exporter.export(_data()) is MetricExportResult.SUCCESS
    finally:
        exporter.shutdown()


@pytest.mark.parametrize("packing", [{}, {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}], ids=["plain", "gzip"])
def test_what_arrives_is_the_same_over_both_protocols_and_from_both_libraries(
    monkeypatch: pytest.MonkeyPatch, packing: dict[str, str]
) -> None:
    """One set of metrics, sent by four senders, packed or not, is one and the same JSON in four receivers."""
    for variable, value in packing.items():
        monkeypatch.setenv(variable, value)
    seen = []
    senders: tuple[tuple[str, Callable[[], object]], ...] = (
        ("http", lambda: _by_our_http() is None),
        ("http", lambda: _by(SdkHttp())),
        ("grpc", lambda: _by_our_grpc() is None),
        ("grpc", lambda: _by(SdkGrpc())),
    )
    for protocol, send in senders:
        with Receiver(grpc_port=0) as receiver:
            endpoint = receiver.endpoint if protocol == "http" else receiver.grpc_endpoint
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            assert send()
            assert receiver.requests == 1
            seen.append(receiver.to_json())
    assert len(json.loads(seen[0])) > 10
    assert [found == seen[0] for found in seen] == [True] * 4


@pytest.mark.parametrize(
    ("answer", "code"), [(Answer.UNAVAILABLE, Code.UNAVAILABLE), (Answer.REFUSE, Code.INVALID_ARGUMENT)]
)
def test_failure_modes_keep_nothing(
    receiver: Receiver, export: Exporting, answer: Answer, code: grpc.StatusCode
) -> None:
    """One code that an exporter retries and one that it does not; the next accepted export is kept."""
    receiver.answer = answer
    assert _ended(lambda: export(_body(1), timeout=SECONDS)) == (code, f"told to {answer}")
    assert (receiver.requests, receiver.points()) == (1, ())
    receiver.answer = Answer.ACCEPT
    assert export(_body(1), timeout=SECONDS) == b""
    assert receiver.counter("slo.events") == 1


def test_the_nth_export_can_be_dropped() -> None:
    """Whatever it comes by: it is answered well and forgotten."""
    with Receiver(grpc_port=0, drop=2) as receiver, _channel(receiver) as channel:
        export: Exporting = channel.unary_unary(SERVICE)
        assert [export(_body(value), timeout=SECONDS) for value in (1, 2)] == [b"", b""]
        assert (receiver.requests, receiver.counter("slo.events")) == (2, 1)


def test_what_is_no_export_of_metrics_is_refused_and_not_counted(receiver: Receiver, export: Exporting) -> None:
    """A broken body and a service that also sends traces there are errors of the sender."""
    assert _ended(lambda: export(b"\xff\xff\xff", timeout=SECONDS)) == (
        Code.INVALID_ARGUMENT,
        "not an OTLP protobuf request",
    )
    with _channel(receiver) as channel:
        traces: Exporting = channel.unary_unary(SERVICE.replace("metrics", "trace").replace("Metrics", "Trace"))
        assert _ended(lambda: traces(b"", timeout=SECONDS))[0] is Code.UNIMPLEMENTED
    assert (receiver.requests, receiver.points()) == (0, ())


def test_an_export_above_the_limit_of_a_grpc_server_is_taken(receiver: Receiver, export: Exporting) -> None:
    """The SDK's exporter sends everything in one request, and what arrives over HTTP arrives over gRPC."""
    assert export(_body(1, padding=5 * 1024 * 1024), timeout=SECONDS) == b""
    assert receiver.counter("slo.events") == 1


def test_a_hanging_receiver_answers_when_it_is_told_otherwise(receiver: Receiver, export: Exporting) -> None:
    """It takes the export and says nothing; let go, it has kept nothing."""
    receiver.answer = Answer.HANG
    call = export.future(_body(1), timeout=SECONDS)
    assert receiver.wait(1, SECONDS)
    assert not call.done()
    receiver.answer = Answer.ACCEPT
    assert _ended(call.result)[0] is Code.UNAVAILABLE
    assert receiver.points() == ()


def test_those_who_gave_up_take_nobodys_place(receiver: Receiver, export: Exporting) -> None:
    """More clients hang one after the other than it serves at a time, and each of them is counted."""
    receiver.answer = Answer.HANG
    for number in range(1, 20):
        call = export.future(_body(1), timeout=SECONDS)
        assert receiver.wait(number, SECONDS)
        assert call.cancel()
    receiver.answer = Answer.ACCEPT
    assert export(_body(1), timeout=SECONDS) == b""


def test_closing_ends_the_calls_and_frees_the_ports() -> None:
    """Also calls that hang, also twice, also of a receiver that was never started."""
    with reserved() as port, reserved() as other:
        for start in (True, False):
            receiver = Receiver(port, grpc_port=other)
            with _channel(receiver) as channel:
                export: Exporting = channel.unary_unary(SERVICE)
                if start:
                    receiver.start()
                receiver.answer = Answer.HANG
                call = export.future(_body(1), timeout=SECONDS)
                assert receiver.wait(1, SECONDS)
                receiver.close()
                receiver.close()
                assert _ended(call.result)[0] in (Code.UNAVAILABLE, Code.CANCELLED)


def test_no_two_receivers_share_a_port(receiver: Receiver) -> None:
    """A second one would get half of the exports; it is refused by name, and lets go of the port that it had."""
    taken = int(receiver.grpc_endpoint.rpartition(":")[2])
    with reserved() as port:
        for _ in range(2):
            with pytest.raises(OSError, match="Address already in use") as refused:
                Receiver(port, grpc_port=taken)
            assert refused.value.filename == f"127.0.0.1:{taken}"
        Receiver(port).close()


def test_a_port_that_is_taken_at_the_last_moment_is_refused_the_same(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was free a moment before, gRPC's own error is translated."""
    monkeypatch.setattr("slo_otel.receive._grpc._free", lambda *_: None)
    taken = int(receiver.grpc_endpoint.rpartition(":")[2])
    with pytest.raises(OSError, match="Address already in use") as refused:
        Receiver(grpc_port=taken)
    assert refused.value.filename == f"127.0.0.1:{taken}"


def test_without_a_port_for_grpc_there_is_no_address() -> None:
    """Asking for it says how to have one."""
    with Receiver() as receiver, pytest.raises(ConfigurationError, match=r"Receiver\(grpc_port=0\)"):
        _ = receiver.grpc_endpoint


def test_without_the_extra_a_port_for_grpc_is_an_error_with_the_line_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing stays open behind it, and one for HTTP alone needs no extra."""
    monkeypatch.delitem(sys.modules, "slo_otel.receive._grpc", raising=False)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with reserved() as port:
        with pytest.raises(ConfigurationError, match=r'pip install "slo-otel\[grpc\]"'):
            Receiver(port, grpc_port=0)
        with Receiver(port) as receiver, socket.create_connection(("127.0.0.1", receiver.port), timeout=SECONDS):
            pass


def test_grpc_is_loaded_where_it_was_asked_for_only() -> None:
    """Its library does not survive every fork: tests and demos over HTTP do without."""
    code = (
        "import sys; from slo_otel.receive import Receiver\n"
        "for port in (None, 0):\n"
        "    Receiver(grpc_port=port).close(); print('grpc' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert ended.stdout.split() == ["False", "True"]
