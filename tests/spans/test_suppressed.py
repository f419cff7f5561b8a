"""Our own exports are no work of the service: they make no spans, whatever instruments the libraries they use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import requests
from opentelemetry.instrumentation.grpc import GrpcInstrumentorClient
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor

from slo_otel.names import EVENTS
from slo_otel.receive import Receiver
from slo_otel.runtime._configure import start
from tests.runtime.samples import PLAN, record
from tests.spans.traced import Traced
from tests.stress.faulty_grpc import GrpcCollector


@pytest.fixture
def instrumented(traced: Traced) -> Iterator[Traced]:
    """requests, urllib3 and gRPC clients, traced as opentelemetry-instrument would have it."""
    kinds: tuple[Any, ...] = (RequestsInstrumentor, URLLib3Instrumentor, GrpcInstrumentorClient)
    theirs = [kind() for kind in kinds]
    for each in theirs:
        each.instrument(tracer_provider=traced.tracers, meter_provider=traced.meters)
    yield traced
    for each in theirs:
        each.uninstrument()


def test_an_export_over_http_makes_no_span(instrumented: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrived was not traced; a request of the service itself was, before and after."""
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        assert requests.get(receiver.endpoint, timeout=30).ok
        before = len(instrumented.spans())
        assert before
        handle = start(PLAN)
        record(3)
        assert handle.flush(30)
        assert receiver.counter(EVENTS, slo_name="pay-success", slo_verdict="good") == 3
        assert len(instrumented.spans()) == before
        assert requests.get(receiver.endpoint, timeout=30).ok
        assert len(instrumented.spans()) == 2 * before
        handle.shutdown()
    assert len(instrumented.spans()) == 2 * before


def test_an_export_over_grpc_makes_no_span(instrumented: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with the instrumentation of gRPC's clients around our channel."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with GrpcCollector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        handle = start(PLAN)
        record(3)
        assert handle.flush(30)
        assert collector.bodies
        assert instrumented.spans() == ()
        channel = grpc.insecure_channel(collector.endpoint.removeprefix("http://"))
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/shop.Orders/Get")
        with pytest.raises(grpc.RpcError):
            call(b"", timeout=30)
        assert len(instrumented.spans()) == 1
        channel.close()
        handle.shutdown()
