"""Bytes that one more series holds, by tracemalloc: all of it, the latest snapshot included, nothing pending.

After 1, 20 and 200 events of a log-normal latency; the row is that of 20. prometheus_client's child and the SDK's
attribute set do not grow with events.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from benchmarks.measure import Effort, Samples
from benchmarks.ours import recorder, request_key, snapshot
from benchmarks.peers import otel_sdk, prometheus
from benchmarks.subjects.record import VALUES

SERIES = 1_000


def held(make: Callable[[int], object], finish: Callable[[], object] = lambda: None) -> float:
    """Bytes a series. The first one, which sets up what all share, is made before."""
    make(0)
    finish()
    gc.collect()
    tracemalloc.start()
    for number in range(1, SERIES + 1):
        make(number)
    kept = finish()
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return used / SERIES


def ours(events: int) -> float:
    """A cell after so many events."""
    registry = recorder()

    def make(number: int) -> None:
        cell = registry.cell(request_key(number))
        for value in VALUES[:events]:
            cell.record(value)

    return held(make, lambda: snapshot(registry))


def opentelemetry() -> float:
    """An attribute set of the SDK's histogram, without its collected point."""
    instrument = otel_sdk.histogram(InMemoryMetricReader())
    return held(
        lambda number: instrument.record(0.1, {**otel_sdk.ATTRIBUTES, "http.route": f"/r/{number}"}),
    )


def child() -> float:
    """A child of prometheus_client's histogram."""
    histogram, _ = prometheus.histogram()
    return held(lambda number: histogram.labels("GET", f"/r/{number}", "200", "http").observe(0.1))


def measure(effort: Effort) -> Samples:
    """`memory.*`, bytes a series; the same in every round, so there is one."""
    return {
        "memory.1 event": [ours(1)],
        "memory.20 events": [ours(20)],
        "memory.200 events": [ours(200)],
        "memory.otel sdk": [opentelemetry()],
        "memory.prometheus child": [child()],
    }
