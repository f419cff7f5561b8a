"""What one evaluation costs: `needs`, `answer`, `evaluate` of 300 SLO × group pairs; and what slices weigh.

    python benchmarks/evaluate.py [--profile]

Two shapes with the same 300 pairs: 300 SLOs without groups, and 30 SLOs of ten regions, three hours old. The limit
is 10 ms a tick (DESIGN.md 5). CPU time of the thread, so that a busy machine disturbs less. The weight is that of
ten pairs after a month in which every slice had traffic.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import time
import tracemalloc
from fractions import Fraction
from itertools import accumulate

from slo_otel.evaluation import Scope, StatusSet, evaluate, needs
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import (
    SLO,
    CellKey,
    Fixed,
    Form,
    Indicator,
    Judgement,
    Kind,
    Match,
    Measure,
    NameTerm,
    Occurrences,
    Outcome,
    Plan,
    RatioObjective,
    RatioRule,
    Selection,
    Verdict,
)
from slo_otel.recorder import CellSnapshot, Limits, Snapshot
from slo_otel.units import DAY_NS, MINUTE_NS, SECOND_NS, Rolling

STEP_NS = 15 * SECOND_NS
LIMITS = Limits(0, 0, 0, 0, 0, 0, 0)
START_NS = 1_750_000_500 * SECOND_NS
MONTH = [15 * MINUTE_NS] * (28 * 96) + [STEP_NS] * (2 * DAY_NS // STEP_NS)
MORNING = [STEP_NS] * 720


def plan_of(slos: int, per: tuple[str, ...]) -> Plan:
    """Ratio SLOs of 99.5 % over 30 days: a compliance window and seven look-backs each."""
    return Plan("bench", STEP_NS, tuple(slo_of(f"slo-{number}", per) for number in range(slos)))


def slo_of(name: str, per: tuple[str, ...]) -> SLO:
    """One of them."""
    rule = RatioRule(Form.SUCCESS, None)
    indicator = Indicator(name, Form.SUCCESS, Selection(Match((NameTerm(name),))), rule, f"print-{name}", per)
    objective = RatioObjective(Fraction(995, 1000))
    return SLO(name, name, indicator, objective, Rolling(30 * DAY_NS), Occurrences(), 20, 1)


class Traffic:
    """Two cells a pair, good and bad, which grow at every tick."""

    def __init__(self, plan: Plan, groups: tuple[str, ...]) -> None:
        self._cells = [
            (CellKey(Kind.OPERATION, (slo.name,), outcome=outcome, attributes=group), (judgement,))
            for slo in plan.slos
            for group in (tuple((name, value) for name in slo.indicator.per) for value in groups)
            for outcome, verdict in ((Outcome.SUCCESS, Verdict.GOOD), (Outcome.ERROR, Verdict.BAD))
            for judgement in [Judgement(slo.name, Measure(slo.indicator.fingerprint), group, Fixed(verdict))]
        ]

    def snapshot(self, number: int, at_ns: int) -> Snapshot:
        """All cells as they are after `number` ticks."""
        cells = tuple(
            CellSnapshot(key, judgements, START_NS, number * (200 if key.outcome is Outcome.SUCCESS else 1), None)
            for key, judgements in self._cells
        )
        return Snapshot("bench", at_ns, at_ns, cells, (), (), (), LIMITS)


def filled(plan: Plan, traffic: Traffic, lengths: list[int]) -> tuple[MemoryLedger, list[float]]:
    """A ledger after ticks of these lengths, and the CPU seconds of each append."""
    ledger, spent = MemoryLedger(plan), []
    for number, at_ns in enumerate(accumulate(lengths, initial=START_NS)):
        snapshot = traffic.snapshot(number, at_ns)
        began = time.thread_time()
        ledger.append(snapshot)
        spent.append(time.thread_time() - began)
    return ledger, spent


def tick(plan: Plan, ledger: MemoryLedger, now: int) -> tuple[StatusSet, tuple[float, float, float]]:
    """One evaluation, and the CPU seconds of its three parts."""
    t0 = time.thread_time()
    queries = needs(plan, now)
    t1 = time.thread_time()
    answers = ledger.answer(queries)
    t2 = time.thread_time()
    statuses = evaluate(plan, answers, now, scope=Scope.PROCESS)
    return statuses, (t1 - t0, t2 - t1, time.thread_time() - t2)


def ticks(plan: Plan, ledger: MemoryLedger, traffic: Traffic, many: int) -> list[tuple[float, float, float]]:
    """The parts of `many` evaluations, each after an append as in a live process."""
    begin, parts = START_NS + sum(MORNING), []
    for number in range(1, many + 1):
        now = begin + number * STEP_NS
        ledger.append(traffic.snapshot(len(MORNING) + number, now))
        parts.append(tick(plan, ledger, now)[1])
    return parts


def report(name: str, plan: Plan, groups: tuple[str, ...], *, profile: bool) -> None:
    """Fill, measure and print one shape."""
    traffic = Traffic(plan, groups)
    ledger, spent = filled(plan, traffic, MORNING)
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    parts = ticks(plan, ledger, traffic, 121)
    profiler.disable()
    needed, answered, evaluated = (statistics.median(column) * 1e3 for column in zip(*parts, strict=True))
    total, worst = statistics.median(map(sum, parts)) * 1e3, max(map(sum, parts)) * 1e3
    pairs = len(plan.slos) * len(groups)
    print(f"{name}: {pairs} pairs of two cells, an append {statistics.median(spent) * 1e3:.2f} ms")
    print(f"  a tick {total:.2f} ms: needs {needed:.2f}, answer {answered:.2f}, evaluate {evaluated:.2f}")
    print(f"  worst {worst:.2f} ms (every 15 minutes all windows move)")
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(14)


def weigh(pairs: int) -> None:
    """What the slices of a busy month weigh."""
    plan = plan_of(pairs, ())
    traffic = Traffic(plan, ("",))
    tracemalloc.start()
    ledger, _ = filled(plan, traffic, MONTH)
    weight, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{weight / pairs / 1e3:.0f} kB a pair after a month of traffic in every slice ({ledger.health()})")


def main() -> None:
    """Both shapes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--profile", action="store_true")
    chosen = arguments.parse_args()
    report("300 SLOs", plan_of(300, ()), ("",), profile=chosen.profile)
    groups = tuple(f"region-{number}" for number in range(10))
    report("30 SLOs of 10 regions", plan_of(30, ("region",)), groups, profile=chosen.profile)
    weigh(10)


if __name__ == "__main__":
    main()
