"""Ten million requests of which no two are alike: does memory stay, do series stay bounded, is nothing lost?

    python tools/soak.py [requests]

Requests go through the middleware in a bare loop, while another thread ticks: snapshot, ledger, evaluation, export
to a sink in memory. Everything is checked that DESIGN.md 6 promises of ten million distinct paths. `make soak` runs
ten million, `make test` runs the same with 200,000. Ends with 1 and says what failed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
)
from soak_traffic import COMBINATIONS, POLICY, Traffic

import slo_otel
from slo_otel import names
from slo_otel.clock import Reading

REQUESTS: Final = 10_000_000
MEMORY_BOUND: Final = 5_000_000
"""Bytes that the process may grow by between a tenth of the requests and all of them."""
SERIES_BOUND: Final = 10_000 + 16 + 10_000 // 100
"""The registry's default limit, and the overflow cells beside it."""
OBJECTS_BOUND: Final = 20_000
"""Objects that the garbage collector may know more of at the end: caches with a limit go on filling for a while."""
STEP_S: Final = 15
TICK_S: Final = 0.25
"""Real seconds between two ticks, each of which is a step of the clock."""


class Clock:
    """Durations are real; wall time goes on by one step a tick."""

    perf = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self._ns = 1_767_225_600 * 10**9

    def read(self) -> Reading:
        """Both clocks, in nanoseconds."""
        return Reading(self._ns, self._ns)

    def step(self) -> None:
        """One step of the policy."""
        self._ns += STEP_S * 10**9


class Sink(MetricExporter):
    """Keeps the newest value of each series of what it is sent, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[tuple[str, frozenset[tuple[str, object]]], float] = {}
        self.exports = 0

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        """Take one request."""
        self.exports += 1
        for of_resource in metrics_data.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    for point in metric.data.data_points:
                        at = (metric.name, frozenset((point.attributes or {}).items()))
                        if isinstance(point, NumberDataPoint):
                            self.values[at] = point.value
                        elif isinstance(point, HistogramDataPoint):
                            self.values[at] = point.count
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is held back."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """What was kept stays."""

    def verdicts(self, slo: str) -> Counter[str]:
        """Events of an SLO by verdict, as a backend would add them up."""
        found: Counter[str] = Counter()
        for (name, attributes), value in list(self.values.items()):
            told = dict(attributes)
            if name == names.EVENTS and told[names.SLO_NAME] == slo:
                found[str(told[names.SLO_VERDICT])] += int(value)
        return found

    def total(self, name: str) -> int:
        """The sum of all series of a metric."""
        return int(sum(value for (metric, _), value in list(self.values.items()) if metric == name))


@dataclass(frozen=True, slots=True)
class State:
    """The process at one moment, with everything recorded so far sent."""

    requests: int
    rss: int
    objects: int
    series: int


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: what was found, and whether it holds."""

    promise: str
    found: str
    holds: bool


def rss() -> int:
    """Bytes of this process that are in memory; where the system does not say, the most there ever were."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Soak:
    """One run: the traffic, and what is seen of it at a tenth and at the end."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._sink = Sink()
        self._clock = Clock()
        self._began = time.perf_counter()
        self.ticks = 0
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as policy:
            policy.write(POLICY)
            policy.flush()
            self._handle = slo_otel.configure(policy.name, exporter=self._sink, clock=self._clock)
        self._traffic = Traffic()

    def run(self) -> list[Check]:
        """Serve everything, print how it goes, and judge."""
        early = asyncio.run(self._serve(range(self._requests // 10)))
        late = asyncio.run(self._serve(range(self._requests // 10, self._requests)))
        arrived = self._handle.shutdown(60)
        return [Check("the last export arrives", str(arrived), arrived), *self._judge(early, late)]

    async def _serve(self, numbers: range) -> State:
        share = max(1, self._requests // 100)
        with self._ticking():
            for start in range(numbers.start, numbers.stop, share):
                await self._traffic.serve(range(start, min(start + share, numbers.stop)))
                if start // share % 5 == 4:
                    self._say(min(start + share, numbers.stop))
        return self._state(numbers.stop)

    @property
    def exports(self) -> int:
        """Requests that the sink took."""
        return self._sink.exports

    @contextmanager
    def _ticking(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._tick_until, args=(stop,), name="ticks")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _tick_until(self, stop: threading.Event) -> None:
        while not stop.wait(TICK_S):
            self._tick()

    def _tick(self) -> None:
        self._clock.step()
        self._handle._tick()
        self.ticks += 1

    def _state(self, requests: int) -> State:
        self._tick()
        self._handle.flush(60)
        gc.collect()
        return State(requests, rss(), len(gc.get_objects()), self._sink.total(names.SDK_SERIES))

    def _say(self, done: int) -> None:
        took = time.perf_counter() - self._began
        left = took / done * (self._requests - done)
        series = self._sink.total(names.SDK_SERIES)
        print(
            f"{done:>11,} requests  {done / took:>8,.0f}/s  {rss() / 1e6:>6.1f} MB  {series:>6,} series  "
            f"{self.ticks:>4} ticks  {left:>4.0f} s left",
            flush=True,
        )

    def _judge(self, early: State, late: State) -> Iterator[Check]:
        expected, found = self._traffic.expected, self._sink.verdicts("requests")
        yield Check("every request is counted once", f"{found.total():,}", found.total() == self._requests)
        yield Check("each with its verdict", _text(found), found == expected)
        for slo in ("routes", "tenants", "speed"):
            total = self._sink.verdicts(slo).total()
            yield Check(f"also by {slo}", f"{total:,}", total == self._requests)
        grown, more = late.rss - early.rss, late.objects - early.objects
        text = f"{early.rss / 1e6:.1f} → {late.rss / 1e6:.1f} MB: {grown / 1e6:+.1f} MB"
        yield Check(f"memory from {early.requests:,} requests on", text, grown < MEMORY_BOUND)
        yield Check("objects", f"{early.objects:,} → {late.objects:,}", more < OBJECTS_BOUND)
        yield Check("series are bounded", f"{late.series:,}", 0 < late.series <= SERIES_BOUND)
        overflowed = self._sink.total(names.SDK_OVERFLOW)
        yield Check("what is past the limit is counted together", f"{overflowed:,} events", overflowed > 0)
        faults = self._sink.total(names.SDK_FAULTS)
        yield Check("no fault of ours", f"{faults:,}", not faults)


def _text(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def report(checks: list[Check], soak: Soak, took: float, requests: int) -> int:
    """Print the table; how many promises were broken."""
    width = max(len(check.promise) for check in checks)
    print(f"\n{requests:,} requests in {took:.0f} s, {soak.ticks} ticks, {soak.exports} exports", flush=True)
    for check in checks:
        print(f"  {'ok    ' if check.holds else 'BROKEN'}  {check.promise:<{width}}  {check.found}", flush=True)
    return sum(not check.holds for check in checks)


def main() -> int:
    """Exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description="Requests of which no two are alike, in one process.")
    parser.add_argument("requests", nargs="?", type=int, default=REQUESTS, help=f"at least {10 * COMBINATIONS:,}")
    requests: int = parser.parse_args().requests
    if requests < 10 * COMBINATIONS:
        parser.error(f"a tenth of the requests fills the registry: at least {10 * COMBINATIONS:,}")
    began = time.perf_counter()
    soak = Soak(requests)
    checks = soak.run()
    return 1 if report(checks, soak, time.perf_counter() - began, requests) else 0


if __name__ == "__main__":
    sys.exit(main())
