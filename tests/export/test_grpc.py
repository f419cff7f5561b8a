"""Our gRPC sender against Collectors that misbehave: it says what happened, in time, and comes again if told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel import names
from slo_otel.errors import ConfigurationError
from slo_otel.export import InlineLane, Outgoing, Own, ThreadLane, Translation, _grpc, requests, wanted
from slo_otel.export._grpc import GrpcSender
from slo_otel.export._sender import Failure
from slo_otel.export._settings import grpc as settings
from tests.export.loops import SLACK, fails_in_time, looping, outgoing, took, until
from tests.export.samples import BORN, LIMITS, PLAN, cell, request, snapshot
from tests.patience import in_time
from tests.stress import faulty_grpc
from tests.stress.faulty_grpc import Answering, GrpcCollector, accepts, answers, fails

Code = grpc.StatusCode


@pytest.fixture(autouse=True)
def _over_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[GrpcCollector]:
    """A Collector that the environment points to."""
    with GrpcCollector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.endpoint)
        yield running


def _data(cells: int = 1) -> MetricsData:
    found = [cell(request(200, attributes=(("region", f"r{at}"),)), [0.1]) for at in range(cells)]
    outgoing = Outgoing(snapshot(*found), None, Own(LIMITS, 0, 0))
    return next(requests(Translation(PLAN, BORN).metrics(outgoing), Resource({"service.name": "shop"})))


def _send(sender: GrpcSender, seconds: float = 30.0, *, patient: bool = False) -> Failure | None:
    return sender.send(_data(), time.monotonic() + seconds, patient=patient)


def _sent(seconds: float = 30.0, *, patient: bool = False) -> Failure | None:
    sender = GrpcSender(settings())
    try:
        return _send(sender, seconds, patient=patient)
    finally:
        sender.close()


def _refusing(points: int) -> Answering:
    partial = ExportMetricsPartialSuccess(rejected_data_points=points, error_message="no room")
    return answers(ExportMetricsServiceResponse(partial_success=partial))


def test_what_arrives_is_what_goes_over_http(collector: GrpcCollector) -> None:
    """The same request, by the method of the specification, under a name of our own."""
    assert _sent() is None
    (body,) = collector.bodies
    parsed = ExportMetricsServiceRequest.FromString(body)
    found = [metric.name for metric in parsed.resource_metrics[0].scope_metrics[0].metrics]
    assert names.EVENTS in found
    (metadata,) = collector.metadata
    assert str(metadata["user-agent"]).startswith("slo-otel-OTLP-Exporter-Python/")


@pytest.mark.parametrize(
    ("behave", "kind", "reason", "passing"),
    [
        (fails(Code.UNAVAILABLE, "full"), "UNAVAILABLE", "full", True),
        (fails(Code.ABORTED), "ABORTED", "told to", True),
        (fails(Code.CANCELLED), "CANCELLED", "told to", True),
        (fails(Code.OUT_OF_RANGE), "OUT_OF_RANGE", "told to", True),
        (fails(Code.DATA_LOSS), "DATA_LOSS", "told to", True),
        (fails(Code.DEADLINE_EXCEEDED), "timeout", "no answer in time", True),
        (fails(Code.INVALID_ARGUMENT, ""), "INVALID_ARGUMENT", "INVALID_ARGUMENT", False),
        (fails(Code.UNAUTHENTICATED), "UNAUTHENTICATED", "told to", False),
        (fails(Code.PERMISSION_DENIED), "PERMISSION_DENIED", "told to", False),
        (fails(Code.UNIMPLEMENTED), "UNIMPLEMENTED", "told to", False),
        (fails(Code.INTERNAL), "INTERNAL", "told to", False),
        (fails(Code.RESOURCE_EXHAUSTED), "RESOURCE_EXHAUSTED", "told to", False),
        (fails(Code.RESOURCE_EXHAUSTED, retry_after=9), "RESOURCE_EXHAUSTED", "told to", True),
        (_refusing(2), "partial_success", "2 points rejected: no room", False),
    ],
)
def test_what_is_no_success_is_told_in_its_own_words(
    collector: GrpcCollector, behave: Answering, kind: str, reason: str, passing: bool
) -> None:
    """Every code of the specification, each passing or not; a full Collector is one where it says when to come."""
    collector.behave = behave
    failure = _sent()
    assert failure is not None
    assert (failure.kind, failure.reason, failure.passing) == (kind, reason, passing)


def test_a_warning_of_a_collector_is_no_failure(collector: GrpcCollector) -> None:
    """A partial success that refuses no point."""
    collector.behave = _refusing(0)
    assert _sent() is None


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("http://127.0.0.1:{port}", "Connection refused"),
        ("127.0.0.1:{port}", "Connection refused"),
        ("http://nowhere.invalid:4317", "nowhere.invalid"),
    ],
)
def test_where_nobody_is_a_flush_gives_up_at_once(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, reason: str
) -> None:
    """It does not wait for its deadline, and says what a person needs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.format(port=held.getsockname()[1]))
        began = time.monotonic()
        failure = _sent(90.0)
    assert time.monotonic() - began < 30.0
    assert failure is not None
    assert failure.kind == "UNAVAILABLE"
    assert reason in failure.reason
    assert failure.passing


@pytest.mark.parametrize("after", [0.0, 0.2])
@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED])
def test_a_patient_export_comes_again_when_it_is_told_to(
    collector: GrpcCollector, code: Code, after: float
) -> None:
    """`RetryInfo` decides when; the same bytes are sent again, and the first failure is forgotten."""

    def comes_again() -> None:
        collector.bodies.clear()
        collector.behave = _once(collector, fails(code, retry_after=after))
        assert _sent(patient=True) is None
        assert len(collector.bodies) == 2
        assert collector.bodies[0] == collector.bodies[1]

    assert took(comes_again) >= after
    assert in_time(comes_again, after + 0.7)


def _once(collector: GrpcCollector, first: Answering) -> Answering:
    def behave(context: grpc.ServicerContext, over: threading.Event) -> bytes:
        collector.behave = accepts
        return first(context, over)

    return behave


@pytest.mark.parametrize(
    ("behave", "patient"),
    [
        (fails(Code.UNAVAILABLE, retry_after=3600), True),
        (fails(Code.UNAVAILABLE, retry_after=0), False),
        (fails(Code.INVALID_ARGUMENT, retry_after=0), True),
        (fails(Code.RESOURCE_EXHAUSTED), True),
    ],
)
def test_what_cannot_come_in_time_or_at_all_is_not_tried_again(
    collector: GrpcCollector, behave: Answering, patient: bool
) -> None:
    """After the deadline, without patience, and for what the same request will never get past."""
    collector.behave = behave
    assert took(lambda: _sent(patient=patient)) < 10.0
    assert len(collector.bodies) == 1


def test_a_wait_ends_when_it_is_stopped(collector: GrpcCollector) -> None:
    """From another thread, at once; and nothing is sent afterwards."""
    collector.behave = faulty_grpc.hangs
    sender = GrpcSender(settings())
    found: list[Failure | None] = []
    thread = threading.Thread(target=lambda: found.append(_send(sender, 90.0)))
    thread.start()
    assert until(lambda: len(collector.bodies) == 1)
    sender.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert [failure.kind for failure in found if failure is not None] == ["timeout"]
    assert _send(sender) == found[0]
    assert len(collector.bodies) == 1


def test_a_pause_before_a_retry_ends_when_it_is_stopped(collector: GrpcCollector) -> None:
    """An exit does not wait for the next try."""
    collector.behave = fails(Code.UNAVAILABLE, retry_after=60)
    sender = GrpcSender(settings())
    thread = threading.Thread(target=lambda: _send(sender, 90.0, patient=True))
    thread.start()
    assert until(lambda: len(collector.bodies) == 1)
    sender.stop()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("silent", [True, False])
def test_a_silent_collector_costs_its_deadline(
    monkeypatch: pytest.MonkeyPatch, collector: GrpcCollector, silent: bool
) -> None:
    """Whether it hangs within a call or never even speaks HTTP/2."""
    collector.behave = faulty_grpc.hangs
    with socket.create_server(("127.0.0.1", 0)) as mute:
        if silent:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{mute.getsockname()[1]}")

        def waits() -> None:
            failure = _sent(0.3, patient=True)
            assert failure is not None
            assert failure.kind == "timeout"

        assert took(waits) >= 0.3
        assert in_time(waits, 0.3 + SLACK)


def test_a_collector_that_restarted_is_reached_at_once(
    monkeypatch: pytest.MonkeyPatch, collector: GrpcCollector
) -> None:
    """gRPC itself would not connect again for a second after a failure; the next flush is no such victim."""
    sender = GrpcSender(settings())
    with GrpcCollector() as other:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", other.endpoint)
        sender = GrpcSender(settings())
        assert _send(sender) is None
    assert _send(sender) is not None
    with GrpcCollector(port=other.port) as again:
        assert _send(sender) is None
        assert len(again.bodies) == 1
    sender.close()


def test_packed_and_with_headers_as_the_environment_says(
    collector: GrpcCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gzip by gRPC itself, headers decoded, those for metrics first."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=all")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "X-Token=a%20b,x-other=1")
    assert _sent() is None
    (metadata,) = collector.metadata
    assert (metadata["x-token"], metadata["x-other"]) == ("a b", "1")
    assert ExportMetricsServiceRequest.FromString(collector.bodies[0]).resource_metrics


def test_a_collector_may_listen_on_a_socket_of_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a sidecar's may: by any name that gRPC has for it."""
    where = f"unix://{tmp_path}/otel.sock"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", where)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
    with GrpcCollector(where=where) as collector:
        assert wanted()
        assert _sent() is None
        assert len(collector.bodies) == 1


def test_a_loop_keeps_its_deadlines_and_delivers_afterwards(collector: GrpcCollector) -> None:
    """UNAVAILABLE, INVALID_ARGUMENT, silence: False in time, one thread, and every total right in the end."""
    exports = looping(ThreadLane())
    faults = (fails(Code.UNAVAILABLE), fails(Code.INVALID_ARGUMENT), faulty_grpc.hangs, faulty_grpc.hangs)
    for at, fault in enumerate(faults, 1):
        collector.behave = fault
        assert fails_in_time(exports, outgoing(at, 60 + at), 0.3)
    assert until(lambda: [thread.name for thread in threading.enumerate()].count("slo-otel-export") == 1)
    collector.behave = accepts
    assert exports.flush(outgoing(9, 90), 30.0)
    assert _good(collector.bodies[-1]) == 9
    assert exports.shutdown(outgoing(9, 91), 30.0)


class _Providers:
    """Credential providers of other distributions."""

    def __init__(self, gives: object) -> None:
        self.gives = gives
        self.asked = 0

    def load(self) -> Callable[[], object]:
        """As an entry point does."""
        return self._give

    def _give(self) -> object:
        self.asked += 1
        return self.gives


@pytest.mark.parametrize("gives", [grpc.local_channel_credentials(), "a password"])
def test_credentials_may_come_from_a_provider(
    collector: GrpcCollector, monkeypatch: pytest.MonkeyPatch, gives: object
) -> None:
    """Found at set-up, and asked for each connection; one that gives something else is a failed export."""
    providers = _Providers(gives)
    monkeypatch.setattr(_grpc, "entry_points", lambda **_: (providers,))
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER", f"cloud-{id(providers)}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"127.0.0.1:{collector.port}")
    assert wanted()
    exports = looping(ThreadLane())
    assert exports.flush(outgoing(1), 30.0) is isinstance(gives, grpc.ChannelCredentials)
    exports.shutdown(outgoing(1, 61), 0.5)
    assert providers.asked > 0


def test_a_provider_that_nobody_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At set-up, by its name."""
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_GRPC_METRICS_CREDENTIAL_PROVIDER", "nobody")
    with pytest.raises(ConfigurationError, match="'nobody'"):
        looping(InlineLane())


def _good(body: bytes) -> int:
    found = 0
    for metric in ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.sum.data_points:
            told = {pair.key: pair.value.string_value for pair in point.attributes}
            if told.get("slo.name") == "success" and told.get("slo.verdict") == "good":
                found += point.as_int
    return found
