"""Whatever a Collector did to the exports before: the next one that arrives makes every total right."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from functools import cache

import pytest

from slo_otel import names
from slo_otel.export import Outgoing, Own, ThreadLane
from slo_otel.receive import Receiver
from tests.export.loops import fails_in_time, looping, outgoing
from tests.export.samples import LIMITS, cell, request, snapshot
from tests.stress import faulty
from tests.stress.faulty import Behaviour, Faulty, says

ACCEPTS = says("200 OK", "Content-Type: application/x-protobuf")
FAULTS: Sequence[Behaviour] = (
    faulty.hangs,
    faulty.closes,
    faulty.resets,
    faulty.garbles,
    faulty.dribbles,
    faulty.dribbles_a_body,
    says("413 Payload Too Large"),
    says("429 Too Many Requests", "Retry-After: 60"),
    says("302 Found", "Location: /elsewhere"),
    says("200 OK", "Content-Type: text/html", body=b"<html>"),
    says("200 OK", "Content-Type: application/x-protobuf", body=b"\x0a\x02\x08\x05"),  # five points rejected
)
REGIONS = 900


@cache
def _regions() -> Outgoing:
    cells = [cell(request(200, attributes=(("region", f"r{at}"),)), [0.25]) for at in range(REGIONS)]
    return Outgoing(snapshot(*cells), None, Own(LIMITS, 0, 0))


def test_every_total_is_right_after_every_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fault after another on one loop, each in its deadline and told as failed, while counts go on."""
    with Faulty(ACCEPTS) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        exports = looping(ThreadLane())
        assert exports.flush(outgoing(1, 60), 30.0)
        for at, fault in enumerate(FAULTS, 2):
            collector.behave = fault
            assert fails_in_time(exports, outgoing(at, 60 + at), 0.3)
        port = collector.port
    with Receiver(port) as receiver:
        assert exports.flush(outgoing(20, 90), 30.0)
        assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 20
        assert receiver.counter(names.DURATION, slo_name="speed", slo_verdict="valid") == 20
        assert exports.shutdown(outgoing(20, 91), 30.0)


@pytest.mark.parametrize("fault", [faulty.closes, faulty.resets, says("503 Service Unavailable")])
def test_a_collector_that_dies_between_two_requests_of_an_export(
    monkeypatch: pytest.MonkeyPatch, fault: Behaviour
) -> None:
    """Half of an export is a failed one; the next one sends all of it, and nothing counts twice."""

    def dies(connection: socket.socket, over: threading.Event) -> None:
        (ACCEPTS if len(collector.bodies) < 2 else fault)(connection, over)

    with Faulty(dies) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        exports = looping(ThreadLane())
        assert not exports.flush(_regions(), 30.0)
        assert len(collector.bodies) >= 2
        port = collector.port
    with Receiver(port) as receiver:
        assert exports.flush(_regions(), 30.0)
        assert receiver.counter(names.EVENTS, slo_name="by-region", slo_verdict="good") == REGIONS
        assert len(receiver.find(names.EVENTS, slo_name="by-region")) == 3 * REGIONS
        assert exports.shutdown(_regions(), 30.0)
