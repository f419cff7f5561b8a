"""A runtime for the ASGI tests: a real recorder, a real plan, and what was counted in a readable form."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

from slo_otel.clock import SystemClock
from slo_otel.instrumentation import Active, activate
from slo_otel.plan import (
    SLO,
    Category,
    CellKey,
    Form,
    HttpTerm,
    Indicator,
    Kind,
    LatencyObjective,
    LatencyRule,
    Match,
    NameTerm,
    Occurrences,
    Outcome,
    Plan,
    RatioObjective,
    RatioRule,
    RouteTerm,
    Selection,
)
from slo_otel.recorder import CellSnapshot, Recorder, tally
from slo_otel.units import Rolling

HOUR = Rolling(3_600 * 10**9)
SLOW_NS = 10 * 10**9


def availability(match: Match, *, websocket: bool = False) -> SLO:
    """A ratio SLO over `match`, with the forms' defaults."""
    indicator = Indicator(
        "availability", Form.SUCCESS, Selection(match), RatioRule(Form.SUCCESS, None), "fp-a", websocket=websocket
    )
    return SLO(
        "availability", "availability", indicator, RatioObjective(Fraction(99, 100)), HOUR, Occurrences(), 20, 1
    )


def latency(match: Match) -> SLO:
    """A latency SLO over `match`: to the last byte, an event stream to the first."""
    rule = LatencyRule(only=None, until_first_byte=None, cancelled_after_ns=SLOW_NS)
    indicator = Indicator("latency", Form.LATENCY, Selection(match), rule, "fp-l", thresholds=(SLOW_NS,))
    return SLO(
        "latency", "latency", indicator, LatencyObjective(Fraction(95, 100), SLOW_NS), HOUR, Occurrences(), 20, 1
    )


def make_plan(*, websocket: bool = False) -> Plan:
    """Every request counts; `money` is tagged in code, `chat` is a websocket route."""
    everything = Match((HttpTerm(), NameTerm("chat")))
    return Plan(
        service="shop",
        step_ns=15 * 10**9,
        slos=(availability(everything, websocket=websocket), latency(everything)),
        categories=(
            Category("money", Match(())),
            Category("chat", Match((RouteTerm(None, ("chat", "*")),))),
        ),
        attributes=frozenset({"tenant", "plan"}),
    )


class World:
    """One runtime while a test runs."""

    def __init__(self, plan: Plan, *, tapped: bool, perf: Callable[[], float]) -> None:
        self.taps: list[tuple[CellKey, float | None]] = []
        self.flushed: list[float] = []
        self.recorder = Recorder(plan, clock=SystemClock(), writer="w", resource={})
        self.active = Active(
            plan=plan,
            recorder=self.recorder,
            perf=perf,
            wall_ns=time.time_ns,
            statuses=lambda: None,
            flush=self.flush,
            tap=(lambda key, duration: self.taps.append((key, duration))) if tapped else None,
        )

    def flush(self, timeout: float) -> bool:
        self.flushed.append(timeout)
        return True

    def cells(self) -> tuple[CellSnapshot, ...]:
        """Series that counted something, of requests and connections."""
        found = self.recorder.snapshot(time.time_ns(), time.monotonic_ns()).cells
        return tuple(cell for cell in found if cell.count and cell.key.kind in (Kind.HTTP, Kind.WEBSOCKET))

    def one(self) -> CellSnapshot:
        """The only series, which counted one event."""
        (cell,) = self.cells()
        assert cell.count == 1
        return cell

    def one_count(self) -> int:
        """How many events the only series has."""
        (cell,) = self.cells()
        return cell.count

    def key(self) -> CellKey:
        return self.one().key

    def last(self, before: int) -> CellKey:
        """The series of the one event that was not one of `before` successes."""
        cells = self.cells()
        assert sum(cell.count for cell in cells) == before + 1
        (key,) = [cell.key for cell in cells if cell.key.outcome is not Outcome.SUCCESS]
        return key

    def seconds(self) -> float:
        """The duration of the only event."""
        duration = self.one().duration
        assert duration is not None
        return duration.sum

    def counts(self) -> dict[tuple[str | None, str | None, int | None, Outcome], int]:
        """Events by method, route, status and outcome."""
        total: Counter[tuple[str | None, str | None, int | None, Outcome]] = Counter()
        for cell in self.cells():
            total[cell.key.method, cell.key.route, cell.key.status, cell.key.outcome] += cell.count
        return dict(total)

    def verdict(self, indicator: str = "availability") -> str:
        """What the only event means to a SLO: good, bad or excluded."""
        cell = self.one()
        (judgement,) = [each for each in cell.judgements if each.indicator == indicator]
        counted = tally(cell, judgement.ruling)
        (name,) = [name for name in ("good", "bad", "excluded") if getattr(counted, name)]
        return name

    def limit(self, name: str) -> int:
        return int(getattr(self.recorder.snapshot(0, 0).limits, name))


@contextmanager
def running(
    plan: Plan | None = None, *, tapped: bool = False, perf: Callable[[], float] = time.perf_counter
) -> Iterator[World]:
    """An active runtime for the block; `perf` times its events."""
    world = World(plan or make_plan(), tapped=tapped, perf=perf)
    activate(world.active)
    try:
        yield world
    finally:
        activate(None)
