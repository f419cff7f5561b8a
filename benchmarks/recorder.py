"""What the recorder costs, beside OpenTelemetry's own histogram in the same run.

    python benchmarks/recorder.py

Each figure is the median of interleaved rounds with the empty loop taken off. Budgets are DESIGN.md 5's; ratios
travel between machines, nanoseconds do not. Not part of `make test`.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from slo_otel.clock import SystemClock
from slo_otel.plan import (
    SLO,
    CellKey,
    Form,
    HttpTerm,
    Indicator,
    Kind,
    LatencyObjective,
    LatencyRule,
    Match,
    Occurrences,
    Outcome,
    Plan,
    RatioObjective,
    RatioRule,
    Selection,
)
from slo_otel.recorder import Cell, Recorder
from slo_otel.units import Rolling, parse_percent

ROUNDS = 11
EVENTS = 40_960


def plan() -> Plan:
    """An availability SLO and a latency SLO with two thresholds, over every request."""
    everything = Selection(Match((HttpTerm(),)))
    availability = Indicator("availability", Form.SUCCESS, everything, RatioRule(Form.SUCCESS, None), "a")
    latency = Indicator(
        "latency",
        Form.LATENCY,
        everything,
        LatencyRule(None, None, 1_000_000_000),
        "l",
        thresholds=(400_000_000, 1_000_000_000),
    )
    target = parse_percent("99%")
    window = Rolling(30 * 86_400 * 10**9)
    return Plan(
        "bench",
        15 * 10**9,
        (
            SLO("availability", "availability", availability, RatioObjective(target), window, Occurrences(), 20, 1),
            SLO("latency", "latency", latency, LatencyObjective(target, 400_000_000), window, Occurrences(), 20, 1),
        ),
    )


def recorder() -> Recorder:
    """A registry as configured in production."""
    return Recorder(plan(), clock=SystemClock(), writer="bench", resource={})


def key(route: int) -> CellKey:
    """A request answered 200."""
    return CellKey(Kind.HTTP, method="GET", route=f"/r/{route}", status=200, outcome=Outcome.SUCCESS)


def busy_cell() -> Cell:
    """A cell whose limit has grown to its largest."""
    registry = recorder()
    cell = registry.cell(key(0))
    for _ in range(4):
        for value in VALUES[:4096]:
            cell.record(value)
        registry.snapshot(0, 0)
    if cell.limit != 1024:
        raise RuntimeError("the limit did not grow")
    return cell


random.seed(3)
VALUES = [random.lognormvariate(-3, 1) for _ in range(EVENTS)]


def empty() -> None:
    """The loop that the others are measured against."""
    for _value in VALUES:
        pass


def timed(work: Callable[[], None]) -> float:
    """Nanoseconds an event of one round."""
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / EVENTS


def hot(cell: Cell) -> Callable[[], None]:
    """Append and length check, never folding."""

    def work() -> None:
        cell.limit = 10**9
        for value in VALUES:
            cell.append(value)
            if len(cell.pending) >= cell.limit:
                cell.drain()

    return work


def inlined(cell: Cell) -> Callable[[], None]:
    """As instrumentation records: append, length check, fold every 1,024."""

    def work() -> None:
        for value in VALUES:
            cell.append(value)
            if len(cell.pending) >= cell.limit:
                cell.drain()

    return work


def called(cell: Cell) -> Callable[[], None]:
    """By call."""

    def work() -> None:
        for value in VALUES:
            cell.record(value)

    return work


def opentelemetry() -> Callable[[], None]:
    """`Histogram.record` of the OpenTelemetry SDK with four attributes and one reader."""
    meter = MeterProvider([InMemoryMetricReader()]).get_meter("bench")
    histogram = meter.create_histogram("http.server.request.duration", unit="s")
    attributes: dict[str, str | int] = {
        "http.request.method": "GET",
        "http.route": "/r/0",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }

    def work() -> None:
        for value in VALUES:
            histogram.record(value, attributes)

    return work


def record() -> None:
    """Nanoseconds an event, and how many times cheaper than the SDK."""
    cold = busy_cell()
    ways = {
        "hot path": hot(cold),
        "inlined, folding included": inlined(busy_cell()),
        "record() by call": called(busy_cell()),
        "OpenTelemetry SDK": opentelemetry(),
    }
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    gc.disable()
    for _ in range(ROUNDS):
        base = timed(empty)
        for name, work in ways.items():
            rounds[name].append(timed(work) - base)
        cold.pending.clear()
    gc.enable()
    medians = {name: statistics.median(found) for name, found in rounds.items()}
    sdk = medians["OpenTelemetry SDK"]
    for name, found in medians.items():
        print(f"{name:32}{found:9.0f} ns{sdk / found:9.1f}x")


def pauses() -> None:
    """Microseconds of one inline fold at the largest limit."""
    cell = busy_cell()
    found = []
    for at in range(0, EVENTS, 1024):
        cell.pending.extend(VALUES[at : at + 1024])
        start = time.perf_counter_ns()
        cell.drain()
        found.append((time.perf_counter_ns() - start) / 1000)
    print(f"{'one fold of 1,024':32}{statistics.median(found):9.0f} us, worst {max(found):.0f} us")


def collect(series: int) -> None:
    """Milliseconds of a snapshot by how many cells have something pending."""
    registry = recorder()
    cells = [registry.cell(key(at)) for at in range(series)]
    for cell in cells:
        for value in VALUES[:200]:
            cell.record(value)
    registry.snapshot(0, 0)
    for dirty, each in ((0, 0), (20, 1), (1, 1), (1, 10)):
        found = []
        for _ in range(ROUNDS):
            for cell in cells[::dirty] if dirty else ():
                for value in VALUES[:each]:
                    cell.append(value)
            start = time.perf_counter_ns()
            registry.snapshot(0, 0)
            found.append((time.perf_counter_ns() - start) / 1e6)
        which = f"{each} pending in {'each' if dirty == 1 else f'one of {dirty}'}" if dirty else "idle"
        print(f"{f'snapshot of {series:,}, {which}':44}{statistics.median(found):9.2f} ms")


def memory() -> None:
    """Bytes a series: all that the registry holds for it, its latest snapshot included, without pending values."""
    for events in (1, 20, 200):
        registry = recorder()
        registry.cell(key(0))
        keys = [key(at) for at in range(1, 2001)]
        tracemalloc.start()
        for each in keys:
            cell = registry.cell(each)
            for value in VALUES[:events]:
                cell.record(value)
        registry.snapshot(0, 0)
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(f"{f'one series after {events} events':32}{used / len(keys):9.0f} B")


if __name__ == "__main__":
    record()
    pauses()
    collect(1_000)
    collect(10_000)
    memory()
