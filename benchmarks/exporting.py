"""Latency series and the two ways to send them over OTLP: ours, and the SDK's. Both to the same receiver.

One policy entry with `per: [route]`. The SDK sends one histogram a series. Ours sends five points: histograms of
the valid and of the excluded events, and counts of the good, the bad and the excluded. One series in twenty has a
new event each time: with delta temporality only those are sent.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from benchmarks import lifetime
from benchmarks.ours import recorder, request_key, snapshot
from benchmarks.peers.otel_sdk import ATTRIBUTES
from slo_otel import policy
from slo_otel.export import Exports, Kinds, Lane, Outgoing, Own, Source, Translation
from slo_otel.plan import Plan

SERIES = 1_000
MANY = 10_000
"""As many as the recorder keeps apart unless told otherwise."""
DELTA = AggregationTemporality.DELTA
KINDS = {
    "": Kinds(),
    "delta": Kinds(DELTA, DELTA, DELTA),
    "exponential": Kinds(exponential=True),
}
PATIENCE = 30.0
POLICY = """
version: slo/v1
service: bench
slos:
  - {name: latency, sli: {latency: http}, per: [route], objective: p95 < 400ms}
"""
Export = Callable[[], None]


def plan() -> Plan:
    """The plan of the policy above."""
    return policy.compile(policy.loads(POLICY))


@contextmanager
def ours(
    endpoint: str,
    lane: Lane,
    values: list[float],
    series: int = SERIES,
    kinds: Kinds = KINDS[""],
    protocol: str = "http/protobuf",
) -> Iterator[Export]:
    """What the runtime does at a tick that sends: a snapshot, its translation, the requests."""
    compiled = plan()
    registry = recorder(compiled)
    cells = [registry.cell(request_key(route)) for route in range(series)]
    for cell in cells:
        for value in values:
            cell.record(value)
    resource = Resource.create()
    os.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    exports = Exports(Source(), lane, Translation(compiled, time.time_ns(), kinds), lambda: resource, 60 * 10**9)

    def outgoing() -> Outgoing:
        taken = snapshot(registry)
        return Outgoing(taken, None, Own(taken.limits, 0, 0))

    def export() -> None:
        for cell in cells[::20]:
            cell.record(values[0])
        if not exports.flush(outgoing(), PATIENCE):
            raise RuntimeError("our export did not arrive")

    export()  # connects, where the environment says now
    try:
        yield export
    finally:
        exports.shutdown(outgoing(), PATIENCE)


@contextmanager
def sdk(endpoint: str, values: list[float], protocol: str = "http/protobuf") -> Iterator[Export]:
    """What the SDK's periodic reader does when it is due: collect, encode, send."""
    exporter: MetricExporter = OTLPMetricExporter(f"{endpoint}/v1/metrics")
    if protocol == "grpc":
        exporter = GrpcExporter(endpoint, insecure=True)
    reader = PeriodicExportingMetricReader(exporter, math.inf)
    provider = MeterProvider([reader])
    histogram = provider.get_meter("bench").create_histogram("http.server.request.duration", unit="s")
    attributes = [{**ATTRIBUTES, "http.route": f"/r/{route}"} for route in range(SERIES)]
    for each in attributes:
        for value in values:
            histogram.record(value, each)

    def export() -> None:
        for each in attributes[::20]:
            histogram.record(values[0], each)
        reader.collect()

    try:
        yield export
    finally:
        provider.shutdown()


@contextmanager
def receiver(module: str = "benchmarks.sink") -> Iterator[str]:
    """The endpoint of a process that takes everything, over HTTP unless it is another `module`."""
    with lifetime.child(module) as sink:
        if sink.stdout is None:
            raise RuntimeError("the receiver has no output")
        yield f"http://127.0.0.1:{sink.stdout.readline().strip()}"
