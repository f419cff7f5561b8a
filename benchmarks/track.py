"""What `track` adds to a call, beside a hand-written closure around an OpenTelemetry histogram.

    python benchmarks/track.py [rounds]

Prints nanoseconds over the undecorated call: the median of interleaved rounds, folds included. The goals are those
of DESIGN.md 5: 350 ns a sync call, 450 ns an async one.
"""

from __future__ import annotations

import asyncio
import functools
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from slo_otel import instrumentation
from slo_otel.clock import SystemClock
from slo_otel.instrumentation import track
from slo_otel.plan import (
    SLO,
    Category,
    Form,
    Indicator,
    LatencyObjective,
    LatencyRule,
    Match,
    NameTerm,
    Occurrences,
    Plan,
    Selection,
)
from slo_otel.recorder import Recorder
from slo_otel.units import Rolling, parse_duration, parse_percent

CALLS = 20_000
SyncCall = Callable[[float, int], float]
AsyncCall = Callable[[float, int], Awaitable[float]]


def _plan() -> Plan:
    """One latency SLO on the tracked name, so that folds fill a real histogram."""
    under = parse_duration("400ms")
    match = Match((NameTerm("ai_call"),))
    rule = LatencyRule(None, until_first_byte=None, cancelled_after_ns=under)
    indicator = Indicator("ai", Form.LATENCY, Selection(match), rule, "f", thresholds=(under,))
    objective = LatencyObjective(parse_percent("95%"), under)
    window = Rolling(parse_duration("1h"))
    slo = SLO("ai", "ai", indicator, objective, window, Occurrences(), 20, 1)
    return Plan(
        "benchmark",
        parse_duration("15s"),
        (slo,),
        categories=(Category("ai_call", Match(())), Category("http", Match(()))),
    )


def _runtime() -> instrumentation.Active:
    clock = SystemClock()
    plan = _plan()
    return instrumentation.Active(
        plan=plan,
        recorder=Recorder(plan, clock=clock, writer="benchmark", resource={}),
        perf=clock.perf,
        wall_ns=time.time_ns,
        statuses=lambda: None,
        flush=lambda _timeout: True,
    )


async def _warm(running: instrumentation.Active) -> None:
    """Let the cells grow their pending lists as they do under load: a step more at each snapshot."""
    instrumentation.activate(running)
    for _ in range(10):
        _sync_ns(tracked, CALLS)
        await _async_ns(tracked_async, CALLS)
        running.recorder.snapshot(time.time_ns(), time.monotonic_ns())


def _with_otel(fn: SyncCall) -> SyncCall:
    provider = MeterProvider([InMemoryMetricReader()])
    histogram = provider.get_meter("benchmark").create_histogram("call", "s")
    attributes = {"name": "ai_call", "operation": "f", "outcome": "success", "region": "eu"}

    @functools.wraps(fn)
    def timed(value: float, power: int) -> float:
        start = time.perf_counter()
        result = fn(value, power)
        histogram.record(time.perf_counter() - start, attributes)
        return result

    return timed


def plain(value: float, power: int) -> float:
    """The work that is timed."""
    return value


async def plain_async(value: float, power: int) -> float:
    """The same, async, without a suspension."""
    return value


@track("ai_call")
def tracked(value: float, power: int) -> float:
    """The same, tracked."""
    return value


@track("ai_call")
async def tracked_async(value: float, power: int) -> float:
    """The same, tracked and async."""
    return value


def _sync_ns(call: SyncCall, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call(1.5, 2)
    return (time.perf_counter() - start) / calls * 1e9


async def _async_ns(call: AsyncCall, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        await call(1.5, 2)
    return (time.perf_counter() - start) / calls * 1e9


async def _measure(rounds: int) -> dict[str, float]:
    otel = _with_otel(plain)
    running = _runtime()
    await _warm(running)
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for _ in range(rounds):
        base, base_async = _sync_ns(plain, CALLS), await _async_ns(plain_async, CALLS)
        instrumentation.activate(None)
        note("no-op", _sync_ns(tracked, CALLS) - base)
        instrumentation.activate(running)
        note("sync", _sync_ns(tracked, CALLS) - base)
        note("async", await _async_ns(tracked_async, CALLS) - base_async)
        with track("http"):
            note("nested, sync", _sync_ns(tracked, CALLS // 10) - base)
        note("otel closure", _sync_ns(otel, CALLS // 10) - base)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    found = asyncio.run(_measure(rounds))
    for name, value in found.items():
        print(f"{name:14} {value:8.0f} ns")
    print(f"otel closure / sync: {found['otel closure'] / found['sync']:.0f}x")


if __name__ == "__main__":
    main()
