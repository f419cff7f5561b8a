"""A real Collector has the exemplars: of bad events, and of the slowest of each bucket, with their traces."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse
from opentelemetry import trace
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Metric, MetricsData
from opentelemetry.sdk.trace import TracerProvider

import slo_otel
from slo_otel.names import DURATION, EVENTS
from slo_otel.runtime._configure import start
from tests.e2e.processes import Collector, eventually
from tests.runtime.samples import PLAN

pytestmark = pytest.mark.e2e


_ID = re.compile(r'"(traceId|spanId)":"([0-9a-f]+)"')


def _in_base64(line: str) -> str:
    """OTLP's JSON has ids in hexadecimal, where protobuf's has base64."""
    return _ID.sub(lambda found: f'"{found[1]}":"{base64.b64encode(bytes.fromhex(found[2])).decode()}"', line)


def _in_file(file: Path) -> dict[str, list[Exemplar]]:
    """Every exemplar that the Collector wrote down, by the name of its metric."""
    found: dict[str, list[Exemplar]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        for resource in Parse(_in_base64(line), MetricsData()).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, []).extend(_of(metric))
    return {name: each for name, each in found.items() if each}


def _of(metric: Metric) -> Iterator[Exemplar]:
    for number in metric.sum.data_points:
        yield from number.exemplars
    for bars in metric.histogram.data_points:
        yield from bars.exemplars


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_failed_and_a_slow_call_lead_to_their_traces(
    tmp_path: Path, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Collector reads our bytes as what they are: value, time, trace, span and attributes."""
    provider = TracerProvider()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    collector = Collector.planned(tmp_path)
    endpoint = collector.endpoint if protocol == "http/protobuf" else collector.grpc_endpoint
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    with collector.running():
        handle = start(PLAN)
        with provider.get_tracer("t").start_as_current_span("work") as span, pytest.raises(ValueError, match="no"):
            _fails()
        context = span.get_span_context()
        assert handle.flush()
        eventually(lambda: set(_in_file(tmp_path / "metrics.json")), {EVENTS, DURATION})
        handle.shutdown()
    found = _in_file(tmp_path / "metrics.json")
    ids = (context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big"))
    assert {(each.trace_id, each.span_id) for name in found for each in found[name]} == {ids}
    assert [each.as_int for each in found[EVENTS]] == [1]
    assert {pair.key: pair.value.string_value for pair in found[EVENTS][0].filtered_attributes} == {
        "slo.category": "pay",
        "slo.operation": "pay",
        "slo.outcome": "exception",
        "error_type": "ValueError",
    }


@slo_otel.track("pay")
def _fails() -> None:
    raise ValueError("no")
