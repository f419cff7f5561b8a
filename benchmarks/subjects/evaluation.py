"""One tick's evaluation of 300 SLO × group pairs (`needs`, `answer`, `evaluate`), in milliseconds of CPU time.

Two shapes with as many pairs: 300 SLOs without groups, and 30 SLOs of ten regions; three hours old, each pair with
good and bad events in every slice. `worst` is the slowest of a half-hour of ticks: every 15 minutes all windows
move.
"""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import pairwise

from benchmarks.measure import Effort, Samples, garbage
from slo_otel.evaluation import Scope, evaluate, needs
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
from slo_otel.units import DAY_NS, SECOND_NS, Rolling

STEP_NS = 15 * SECOND_NS
START_NS = 1_750_000_500 * SECOND_NS
MORNING = 720
HALF_HOUR = 121
NO_LIMITS = Limits(0, 0, 0, 0, 0, 0, 0)


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

    def snapshot(self, number: int) -> Snapshot:
        """All cells as they are after `number` ticks."""
        at_ns = START_NS + number * STEP_NS
        cells = tuple(
            CellSnapshot(key, judgements, START_NS, number * (200 if key.outcome is Outcome.SUCCESS else 1), None)
            for key, judgements in self._cells
        )
        return Snapshot("bench", at_ns, at_ns, cells, (), (), (), NO_LIMITS)


class Shape:
    """A ledger with a morning's traffic, and its next ticks."""

    def __init__(self, slos: int, per: tuple[str, ...], groups: tuple[str, ...]) -> None:
        self.plan = plan_of(slos, per)
        self.ledger = MemoryLedger(self.plan)
        self._traffic = Traffic(self.plan, groups)
        self._number = 0
        self.statuses = 0
        """How many the newest evaluation gave."""
        for _ in range(MORNING):
            self.append()

    def append(self) -> float:
        """The next slice; milliseconds."""
        self._number += 1
        taken = self._traffic.snapshot(self._number)
        began = time.thread_time_ns()
        self.ledger.append(taken)
        return (time.thread_time_ns() - began) / 1e6

    def stages(self) -> tuple[float, float, float]:
        """The newest tick: milliseconds of `needs`, `answer` and `evaluate`."""
        now = START_NS + self._number * STEP_NS
        at = [time.thread_time_ns()]
        queries = needs(self.plan, now)
        at.append(time.thread_time_ns())
        answers = self.ledger.answer(queries)
        at.append(time.thread_time_ns())
        found = evaluate(self.plan, answers, now, scope=Scope.PROCESS)
        at.append(time.thread_time_ns())
        self.statuses = len(found.statuses)
        needed, answered, evaluated = ((after - before) / 1e6 for before, after in pairwise(at))
        return needed, answered, evaluated


def ungrouped() -> Shape:
    """300 SLOs."""
    return Shape(300, (), ("",))


def grouped() -> Shape:
    """30 SLOs of ten regions."""
    return Shape(30, ("region",), tuple(f"region-{number}" for number in range(10)))


def ticks(shape: Shape, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each append and of each evaluation of `count` ticks."""
    appends, evaluations = [], []
    with garbage(collecting=False):
        for _ in range(count):
            appends.append(shape.append())
            evaluations.append(sum(shape.stages()))
    return appends, evaluations


def measure(effort: Effort) -> Samples:
    """`evaluation.*`, milliseconds a tick."""
    samples: Samples = {}
    for name, make in (("300x1", ungrouped), ("30x10", grouped)):
        appends, evaluations = ticks(make(), HALF_HOUR if not effort.quick else effort.rounds)
        samples |= {
            f"evaluation.{name}": evaluations,
            f"evaluation.{name} worst": [max(evaluations)],
            f"evaluation.{name} append": appends,
        }
    return samples
