"""Our side: the compiled policy of the benchmarks, and a runtime that is driven by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from slo_otel import policy
from slo_otel.clock import SystemClock
from slo_otel.instrumentation import Active, activate
from slo_otel.plan import CellKey, Kind, Outcome, Plan
from slo_otel.recorder import Cell, Recorder, Snapshot

POLICY = Path(__file__).with_name("slo.yaml")


def plan() -> Plan:
    """The plan of `slo.yaml`."""
    return policy.compile(policy.load(POLICY))


def recorder(of: Plan | None = None) -> Recorder:
    """A registry as configured in production."""
    return Recorder(of or plan(), clock=SystemClock(), writer="bench", resource={})


def snapshot(registry: Recorder) -> Snapshot:
    """A snapshot of this moment."""
    return registry.snapshot(time.time_ns(), time.monotonic_ns())


def request_key(route: int) -> CellKey:
    """A request answered 200."""
    return CellKey(Kind.HTTP, method="GET", route=f"/r/{route}", status=200, outcome=Outcome.SUCCESS)


def busy_cell(values: list[float]) -> tuple[Recorder, Cell]:
    """A cell under load: its limit on pending values has grown as far as it grows."""
    registry = recorder()
    cell = registry.cell(request_key(0))
    before = 0
    while cell.limit > before:
        before = cell.limit
        for value in values:
            cell.record(value)
        snapshot(registry)
    return registry, cell


@contextmanager
def running() -> Iterator[Callable[[], object]]:
    """Instrumentation is active; yields what the runtime's thread does at a tick, as far as cells notice it."""
    compiled = plan()
    registry = recorder(compiled)
    clock = SystemClock()
    activate(Active(compiled, registry, clock.perf, time.time_ns, lambda: None, lambda _timeout: True))
    try:
        yield lambda: snapshot(registry)
    finally:
        activate(None)
