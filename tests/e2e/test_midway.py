"""A real Collector, behind a front that fails some requests of an export, has exactly the events that happened."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from slo_otel.export import ThreadLane, _tries
from tests.e2e.processes import Collector
from tests.e2e.test_otlp import in_files
from tests.export.added import whole
from tests.export.deltas import Traffic
from tests.export.loops import looping, until
from tests.export.samples import request
from tests.export.unsteady import UNSTEADY, Take
from tests.stress.faulty_grpc import METHOD

pytestmark = pytest.mark.e2e

REGIONS = 800
FAILING = frozenset({2, 3, 7, 9})
"""The numbers of the requests that the front fails."""
FAULTS = [each for each in UNSTEADY if each[1] in ("resets", "hangs", "UNAVAILABLE")]
"""The others are tests/export/test_midway.py's."""
STOPPED = 12
"""The number of the request before which the Collector is stopped."""


@contextmanager
def _forwarding(collector: Collector, protocol: str) -> Iterator[Take]:
    """Hands a request on to the Collector. Raises where it does not take it."""
    if protocol == "grpc":
        with grpc.insecure_channel(f"127.0.0.1:{collector.grpc}") as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
            yield lambda body: call(body, timeout=30, wait_for_ready=False)
        return

    def post(body: bytes) -> None:
        headers = {"Content-Type": "application/x-protobuf"}
        url = f"{collector.endpoint}/v1/metrics"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30):
            pass

    yield post


def _traffic(traffic: Traffic, at: int) -> None:
    for region in range(at % 3, REGIONS, 1 if at == 0 else 3):
        traffic.record(request(500 if region % 2 else 200, attributes=(("region", f"r{region}"),)), 0.1)


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize(("protocol", "fault"), FAULTS)
def test_it_has_no_more_and_no_less(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, protocol: str, fault: str, temporality: str
) -> None:
    """However requests fail, and with the Collector stopped and another one started within an export."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporality)
    monkeypatch.setattr(_tries, "_FIRST_DELAY", 0.05)
    (tmp_path / "second").mkdir()
    first = Collector.planned(tmp_path)
    second = replace(first, directory=tmp_path / "second")
    seconds = 1.0 if fault == "hangs" else 30.0
    traffic, running, seen = Traffic(), ExitStack(), set[int]()

    def failing(number: int) -> bool:
        seen.add(number)
        if number == STOPPED:
            running.close()
        return number in FAILING

    with ExitStack() as around:
        around.enter_context(running)
        running.enter_context(first.running())
        take = around.enter_context(_forwarding(first, protocol))
        endpoint = around.enter_context(UNSTEADY[protocol, fault](take, failing))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        exports = looping(ThreadLane())
        steps = iter(range(100))

        def stopped() -> bool:
            _traffic(traffic, next(steps))
            exports.flush(traffic.outgoing(), seconds)
            return STOPPED in seen

        assert until(stopped, 60.0)
        around.enter_context(second.running())
        _traffic(traffic, 1)
        last = traffic.outgoing()
        assert until(lambda: exports.flush(last, seconds), 30.0)
        assert exports.shutdown(last, 5.0)
    assert in_files(first.directory / "metrics.json", second.directory / "metrics.json").counts() == whole(last)
