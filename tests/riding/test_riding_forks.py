"""A child of a fork counts from zero and sends its own counts through the reader that it has."""

from __future__ import annotations

from pathlib import Path

from slo_otel.receive import Receiver
from tests.runtime.processes import run

_SCRIPT = """\
import os, sys
import slo_otel
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

reader = PeriodicExportingMetricReader(slo_otel.RideAlongExporter(OTLPMetricExporter()))
metrics.set_meter_provider(MeterProvider([reader]))
handle = slo_otel.configure("slo.yaml")
slo_otel.count("pay", 2)
child = os.fork()
if not child:
    slo_otel.count("pay", 3)
    slo_otel.count("pay", 4)
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
slo_otel.count("pay", 1)
"""


def test_parent_and_child_send_each_their_own(tmp_path: Path) -> None:
    """Nothing inherited is sent twice, nothing of either is lost, and they are two instances."""
    with Receiver() as receiver:
        ran = run(_SCRIPT, tmp_path, receiver)
        assert (ran.returncode, ran.stderr) == (0, "")
        found = receiver.find("slo.events", slo_name="paid", slo_verdict="good")
        assert sorted(point.value for point in found) == [3, 7]
        assert len({point.instance for point in found} - {""}) == 2
        assert {point.scope for point in receiver.points()} == {"slo_otel"}
