"""A runtime for the tests of events and functions: a real policy, plan and recorder, and a clock moved by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

from slo_otel import policy
from slo_otel.clock import Reading
from slo_otel.evaluation import StatusSet
from slo_otel.instrumentation import Active, activate
from slo_otel.plan import CellKey, Plan
from slo_otel.recorder import CellSnapshot, Limits, Recorder, Snapshot, tally

POLICY = """
version: slo/v1
service: shop
categories:
  ai_call: [POST /chat]
  money: {description: tagged in code}
  webhook: {description: tagged in code}
attributes: {tenant_id: tenant, endpoint: route}
slos:
  - {name: ai, sli: {success: ai_call, exclude: error if reason=quota}, objective: 99%, keep: [tenant, region]}
  - {name: ai-latency, sli: {latency: ai_call}, objective: p95 < 400ms}
  - {name: money, sli: {success: money}, objective: 99%}
  - {name: webhook, sli: {errors: webhook}, objective: 99%}
  - {name: refund, sli: {success: refund}, objective: 99%}
  - {name: exchange, sli: {good: exchange.done, bad: exchange.failed}, objective: 99%, per: tenant}
"""


@cache
def compiled(text: str) -> Plan:
    """The plan of a policy; frozen, so that tests share it."""
    return policy.compile(policy.loads(text))


class HandClock:
    """Both clocks, moved by the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf(self) -> float:
        """Seconds."""
        return self.now

    def tick(self) -> None:
        """A second later."""
        self.now += 1

    def read(self) -> Reading:
        """Nanoseconds."""
        return Reading(int(self.now * 1e9), int(self.now * 1e9))


class Verdicts(NamedTuple):
    """What one SLO counted."""

    good: int = 0
    bad: int = 0
    excluded: int = 0


class World:
    """One active runtime."""

    def __init__(self, plan: Plan, resource: dict[str, str], *, tapped: bool) -> None:
        self.clock = HandClock()
        self.plan = plan
        self.recorder = Recorder(plan, clock=self.clock, writer="w", resource=resource)
        self.statuses: StatusSet | None = None
        self.taps: list[tuple[CellKey, float | None]] = []
        self.active = Active(
            plan=plan,
            recorder=self.recorder,
            perf=self.clock.perf,
            wall_ns=lambda: self.clock.read().wall_ns,
            statuses=lambda: self.statuses,
            flush=lambda _timeout: True,
            tap=(lambda key, duration: self.taps.append((key, duration))) if tapped else None,
        )

    def snapshot(self) -> Snapshot:
        """Everything recorded until now."""
        reading = self.clock.read()
        return self.recorder.snapshot(reading.wall_ns, reading.mono_ns)

    def cells(self) -> tuple[CellSnapshot, ...]:
        """The series with events."""
        return tuple(cell for cell in self.snapshot().cells if cell.count)

    def only(self) -> CellSnapshot:
        """The one series there is, with one event."""
        (cell,) = self.cells()
        assert cell.count == 1
        return cell

    def only_count(self) -> int:
        """How many events the one series has."""
        (cell,) = self.cells()
        return cell.count

    def limits(self) -> Limits:
        """What did not fit, as counted."""
        return self.snapshot().limits

    def verdicts(self, slo: str) -> Verdicts:
        """What a ratio SLO counted."""
        total = Verdicts()
        for cell in self.cells():
            for judgement in cell.judgements:
                if judgement.indicator == slo:
                    found = tally(cell, judgement.ruling)
                    total = Verdicts(
                        total.good + found.good, total.bad + found.bad, total.excluded + found.excluded
                    )
        return total

    def outcomes(self) -> Counter[str]:
        """Events by outcome."""
        found: Counter[str] = Counter()
        for cell in self.cells():
            found[cell.key.outcome.value] += cell.count
        return found

    def total(self) -> int:
        """Every event there is."""
        return sum(cell.count for cell in self.cells())


@contextmanager
def world(text: str = POLICY, *, resource: dict[str, str] | None = None, tapped: bool = False) -> Iterator[World]:
    """A runtime that is active inside the block."""
    made = World(compiled(text), resource or {}, tapped=tapped)
    activate(made.active)
    try:
        yield made
    finally:
        activate(None)
