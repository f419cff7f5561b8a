"""One value into one series: ours inlined as instrumentation does it, the OpenTelemetry SDK, prometheus_client.

Nanoseconds an event over the empty loop. `hot` is the append and the length check alone; `amortised` folds every
1,024 events as a busy series does.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.measure import Effort, Samples, cpu_ns, interleaved, named, over, warmed
from benchmarks.ours import busy_cell
from benchmarks.peers import otel_sdk, prometheus
from slo_otel.recorder import Cell

EVENTS = 40_960
PEER_EVENTS = 4_096
_random = random.Random(3)
VALUES = [_random.lognormvariate(-3, 1) for _ in range(EVENTS)]
PEER_VALUES = VALUES[:PEER_EVENTS]


def empty() -> None:
    """The loop that every variant has."""
    for _value in VALUES:
        pass


def inlined(cell: Cell) -> Callable[[], None]:
    """As instrumentation records."""

    def work() -> None:
        for value in VALUES:
            cell.append(value)
            if len(cell.pending) >= cell.limit:
                cell.drain()

    return work


def called(cell: Cell) -> Callable[[], None]:
    """By call, as adapters record."""

    def work() -> None:
        for value in VALUES:
            cell.record(value)

    return work


def observed(observe: Callable[[float], object]) -> Callable[[], None]:
    """A peer's call for each value."""

    def work() -> None:
        for value in PEER_VALUES:
            observe(value)

    return work


def opentelemetry() -> Callable[[], None]:
    """`Histogram.record` with the four attributes of a request."""
    record = otel_sdk.histogram().record

    def work() -> None:
        for value in PEER_VALUES:
            record(value, otel_sdk.ATTRIBUTES)

    return work


def labelled() -> Callable[[], None]:
    """prometheus_client without keeping the child."""
    histogram, labels = prometheus.labelled()

    def work() -> None:
        for value in PEER_VALUES:
            histogram.labels(*labels).observe(value)

    return work


def measure(effort: Effort) -> Samples:
    """`record.*`, nanoseconds an event."""
    _, cold = busy_cell(VALUES)
    cold.limit = 1 << 40  # never folds
    works = {
        "loop": cpu_ns(empty, EVENTS),
        "hot": cpu_ns(inlined(cold), EVENTS),
        "amortised": cpu_ns(inlined(busy_cell(VALUES)[1]), EVENTS),
        "called": cpu_ns(called(busy_cell(VALUES)[1]), EVENTS),
        "otel sdk": cpu_ns(opentelemetry(), PEER_EVENTS),
        "prometheus bound": cpu_ns(observed(prometheus.bound()), PEER_EVENTS),
        "prometheus labels": cpu_ns(labelled(), PEER_EVENTS),
    }
    warmed(works, 2, cold.pending.clear)
    return named("record", over(interleaved(works, effort.rounds, cold.pending.clear), "loop"))
