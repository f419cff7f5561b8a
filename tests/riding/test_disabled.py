"""`OTEL_SDK_DISABLED` (specification: a Boolean, `true` in any case and nothing else)."""

from __future__ import annotations

import pytest

from slo_otel.receive import Receiver
from slo_otel.runtime._configure import start
from slo_otel.testing import InMemoryExporter, ManualClock, advance
from tests.runtime.samples import PLAN, record


@pytest.mark.parametrize(
    ("text", "sends"),
    [("true", False), ("TRUE", False), (" True ", False), ("1", True), ("yes", True), ("false", True), ("", True)],
)
def test_only_true_switches_it_off(text: str, sends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for an exporter in code, as the SDK's own providers do; what the process knows stays known."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", text)
    exporter, clock = InMemoryExporter(), ManualClock()
    handle = start(PLAN, clock=clock, exporter=exporter)
    record(3)
    advance(handle, clock, 1)
    assert handle.flush()
    assert bool(exporter.exports) is sends
    [found] = [status for status in handle.status().statuses if status.slo == "pay-success"]
    assert found.tally.good == 3
    assert handle.shutdown()


def test_a_process_of_its_own_sends_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an endpoint that listens, a thread and an interval: not one request."""
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
        handle = start(PLAN)
        record(1)
        assert handle.flush()
        assert not receiver.wait(1, timeout=0.3)
        assert handle.shutdown()
