"""All of OTLP against a real Collector: both protocols, packed and plain, ten thousand series, TLS both ways."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from slo_otel.export import Outgoing, Own, ThreadLane, _exports, _grpc, requests
from tests.e2e.processes import Collector, eventually
from tests.export.added import Added, whole
from tests.export.authority import Authority
from tests.export.loops import looping, outgoing
from tests.export.samples import LIMITS, cell, request, snapshot

pytestmark = pytest.mark.e2e

REGIONS = 3_400
"""Of three verdicts each."""
PROTOCOLS = ("http/protobuf", "grpc")


def _regions() -> Outgoing:
    """A failure in each region, whose name is as long as one may be: five megabytes together."""
    cells = [cell(request(500, attributes=(("region", f"{at}".ljust(200, "é")),)), [0.1]) for at in range(REGIONS)]
    return Outgoing(snapshot(*cells), None, Own(LIMITS, 0, 0))


def in_files(*files: Path) -> Added:
    """What Collectors wrote, added up."""
    added = Added()
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            added.add(Parse(line, MetricsData()))
    return added


def _sent(monkeypatch: pytest.MonkeyPatch, protocol: str, endpoint: str, outgoing: Outgoing) -> bool:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    exports = looping(ThreadLane())
    try:
        return exports.flush(outgoing, 30.0)
    finally:
        exports.shutdown(outgoing, 5.0)


def _endpoint(collector: Collector, protocol: str) -> str:
    return collector.grpc_endpoint if protocol == "grpc" else collector.endpoint


@pytest.mark.parametrize(
    ("protocol", "compression"),
    [
        ("http/protobuf", "gzip"),
        ("http/protobuf", "deflate"),
        ("grpc", "none"),
        ("grpc", "gzip"),
    ],
)
def test_ten_thousand_series_arrive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, protocol: str, compression: str
) -> None:
    """Exactly, over both protocols, within the Collector's default limits, packed or not."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    collector, sent = Collector.planned(tmp_path), _regions()
    with collector.running():
        assert _sent(monkeypatch, protocol, _endpoint(collector, protocol), sent)
    found = in_files(tmp_path / "metrics.json")
    assert found.counts() == whole(sent)
    assert found.series > 10_000


def test_what_a_collector_finds_too_large_arrives_in_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Were our own limit none: it says RESOURCE_EXHAUSTED, as for a full queue, but in other words."""
    monkeypatch.setattr(_grpc, "MOST_BYTES", 10**9)
    monkeypatch.setattr(_exports, "requests", partial(requests, limit=100_000))
    collector, sent = Collector.planned(tmp_path), _regions()
    with collector.running():
        assert _sent(monkeypatch, "grpc", collector.grpc_endpoint, sent)
    assert in_files(tmp_path / "metrics.json").counts() == whole(sent)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_both_sides_show_a_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, protocol: str) -> None:
    """The Collector's is checked by us, ours by the Collector; without one nothing arrives."""
    authority, collector = Authority(tmp_path / "tls"), Collector.planned(tmp_path)
    certificate, key = map(str, authority.server)
    files = {"SERVER_CERTIFICATE": certificate, "SERVER_KEY": key, "CLIENT_AUTHORITY": str(authority.file)}
    endpoint = _endpoint(collector, protocol).replace("http:", "https:")
    with collector.running("tls.yaml", **files):
        for name, value in authority.environment(client=False).items():
            monkeypatch.setenv(name, value)
        assert not _sent(monkeypatch, protocol, endpoint, outgoing(7))
        for name, value in authority.environment().items():
            monkeypatch.setenv(name, value)
        assert _sent(monkeypatch, protocol, endpoint, outgoing(3))
        eventually(lambda: in_files(tmp_path / "metrics.json").counts(), whole(outgoing(3)))
