"""A Collector that fails in the middle of an export of many requests ends with exactly the events that happened."""

from __future__ import annotations

import pytest

from slo_otel.export import ThreadLane, _tries
from tests.export.added import Added, whole
from tests.export.deltas import Traffic
from tests.export.loops import looping, until
from tests.export.samples import request
from tests.export.unsteady import UNSTEADY

REGIONS = 400
FAILING = frozenset({2, 3, 6, 9})
"""The numbers of the requests that fail: first ones of an export, later ones, and several in a row."""


def _traffic(traffic: Traffic, at: int) -> None:
    """Some of the regions have an event, others none since the last export."""
    for region in range(REGIONS):
        if at == 0 or (region + at) % 3 == 0:
            status = 500 if region % 7 == at % 7 else 200
            traffic.record(request(status, attributes=(("region", f"r{region}"),)), 0.1)


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize(("protocol", "fault"), UNSTEADY)
def test_it_has_no_more_and_no_less(
    monkeypatch: pytest.MonkeyPatch, protocol: str, fault: str, temporality: str
) -> None:
    """In both temporalities, over both protocols, however a request fails and wherever in an export it is."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporality)
    monkeypatch.setattr(_tries, "_FIRST_DELAY", 0.01)
    seconds = 1.0 if fault == "hangs" else 30.0  # no request that is taken may be late: it would come twice
    added, traffic, seen = Added(), Traffic(), set[int]()

    def failing(number: int) -> bool:
        seen.add(number)
        return number in FAILING

    with UNSTEADY[protocol, fault](added.take, failing) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        exports = looping(ThreadLane())
        for at in range(5):
            _traffic(traffic, at)
            exports.flush(traffic.outgoing(), seconds)
        last = traffic.outgoing()
        assert until(lambda: exports.flush(last, seconds) and seen >= FAILING)
        assert exports.shutdown(last, 30.0)
    assert added.counts() == whole(last)
