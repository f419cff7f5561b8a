"""A snapshot of 1,000 series, in milliseconds of CPU time, beside what the peers do to read as many histograms.

`10k` is one of 10,000.

Mostly idle: one series in twenty has one pending event. The peers' cost does not depend on what is idle.
"""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from benchmarks import exporting
from benchmarks.measure import Effort, Samples, Work, cpu_ns, interleaved, named, scaled
from benchmarks.ours import recorder, request_key, snapshot
from benchmarks.peers import otel_sdk, prometheus
from benchmarks.subjects.record import VALUES
from slo_otel.recorder import Cell

SERIES = 1_000
HISTORY = 50
IDLE_SHARE = 20


def ours(every: int, each: int, series: int = SERIES) -> Work:
    """One snapshot, with `each` values pending in one series of `every`."""
    registry = recorder()
    cells = [registry.cell(request_key(route)) for route in range(series)]
    fill(cells, HISTORY)
    snapshot(registry)
    timed = cpu_ns(lambda: snapshot(registry), 1)

    def work() -> float:
        fill(cells[::every], each)
        return timed()

    return work


def fill(cells: list[Cell], each: int) -> None:
    """Events before the snapshot."""
    for cell in cells:
        for value in VALUES[:each]:
            cell.record(value)


def opentelemetry() -> Work:
    """What an in-memory reader collects from 1,000 attribute sets."""
    reader = InMemoryMetricReader()
    instrument = otel_sdk.histogram(reader)
    for route in range(SERIES):
        for value in VALUES[:HISTORY]:
            instrument.record(value, {**otel_sdk.ATTRIBUTES, "http.route": f"/r/{route}"})
    return cpu_ns(reader.get_metrics_data, 1)


def scrape(read: Callable[[prometheus.Registry], object]) -> Work:
    """What prometheus_client reads from 1,000 children."""
    histogram, registry = prometheus.histogram()
    for route in range(SERIES):
        child = histogram.labels("GET", f"/r/{route}", "200", "http")
        for value in VALUES[:HISTORY]:
            child.observe(value)
    return cpu_ns(lambda: read(registry), 1)


def measure(effort: Effort) -> Samples:
    """`collect.*`, milliseconds a collection."""
    works = {
        "idle": ours(SERIES, 0),
        "mostly idle": ours(IDLE_SHARE, 1),
        "one each": ours(1, 1),
        "ten each": ours(1, 10),
        "10k": ours(IDLE_SHARE, 1, exporting.MANY),
        "otel sdk": opentelemetry(),
        "prometheus collect": scrape(lambda registry: list(registry.collect())),
        "prometheus page": scrape(prometheus.page),
    }
    return named("collect", scaled(interleaved(works, effort.rounds), 1e-6))
