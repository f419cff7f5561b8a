"""The end of a process whose reader takes ours along: a Collector that hangs is waited for once, as by the SDK."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from slo_otel.export import _ride_along
from slo_otel.runtime._configure import start
from slo_otel.testing import InMemoryExporter, ManualClock
from tests.riding.world import service
from tests.runtime.processes import POLICY
from tests.runtime.samples import PLAN, record
from tests.stress import faulty
from tests.stress.faulty import Faulty

ENDS = """
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

import slo_otel

reader = PeriodicExportingMetricReader(slo_otel.RideAlongExporter(OTLPMetricExporter(timeout=1.5)))
metrics.set_meter_provider(MeterProvider([reader]))
metrics.get_meter("orders").create_counter("orders").add(1)
slo_otel.configure("slo.yaml")
with slo_otel.track("pay"):
    pass
"""


def test_the_end_of_a_process_asks_a_hanging_collector_once(tmp_path: Path) -> None:
    """Our hook's export is the last one: the SDK's hook, which comes after it, does not wait as long again."""
    (tmp_path / "slo.yaml").write_text(POLICY)
    with Faulty(faulty.hangs) as collector:
        variables = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "SLO_OTEL_STRICT": "1"}
        ended = subprocess.run(
            [sys.executable, "-c", ENDS],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert len(collector.bodies) == 1
    assert "slo_otel: 1 event of instance" in ended.stderr
    assert "it is not asked again" in ended.stderr


class Failing(InMemoryExporter):
    """Fails until it is told not to, after so many seconds of a clock."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.fails, self.seconds, self.now, self.calls = True, seconds, 0.0, 0

    def monotonic(self) -> float:
        """The clock."""
        return self.now

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 1e4, **kwargs: object
    ) -> MetricExportResult:
        """Let time pass."""
        self.calls += 1
        self.now += self.seconds
        return super().export(metrics_data)


@pytest.mark.parametrize(
    ("seconds", "exits", "shut", "calls"),
    [
        (10.0, True, True, 1),  # waited for by our hook, not again by the SDK's
        (0.5, True, True, 2),  # refused at once: another try costs nothing
        (10.0, False, True, 2),  # a service that goes on, without us
        (10.0, True, False, 2),  # a hook that only flushes: ours may arrive with the next one
    ],
)
def test_an_export_is_left_out_only_where_the_exit_waited_for_one(
    monkeypatch: pytest.MonkeyPatch, seconds: float, exits: bool, shut: bool, calls: int
) -> None:
    """The second one of an exit after a first that took long and failed; any other is made."""
    exporter = Failing(seconds)
    monkeypatch.setattr(_ride_along, "_exiting", lambda: exits)
    with service(exporter) as there:
        handle = start(PLAN, clock=ManualClock())
        there.orders.add(1)
        record(1)
        with monkeypatch.context() as patched:
            patched.setattr(_ride_along, "time", SimpleNamespace(monotonic=exporter.monotonic))
            assert not (handle.shutdown() if shut else handle.flush())
            there.provider.force_flush()
        assert exporter.calls == calls
        exporter.fails = False
        there.provider.force_flush()
        assert exporter.exports  # nothing stays left out


def test_what_arrived_does_not_keep_the_last_export_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it took: what the service counted meanwhile is sent."""
    monkeypatch.setattr(_ride_along, "_exiting", lambda: True)
    exporter = Failing(0.0)
    exporter.fails = False
    with service(exporter) as there:
        handle = start(PLAN, clock=ManualClock())
        with monkeypatch.context() as patched:
            patched.setattr(_ride_along, "_LONG_SECONDS", -1.0)
            assert handle.shutdown()
        there.orders.add(1)
        there.provider.force_flush()
        assert exporter.calls == 2
