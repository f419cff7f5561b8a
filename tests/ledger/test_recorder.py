"""The real recorder's snapshots: from an event to a budget without a stand-in between."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from slo_otel.clock import SystemClock
from slo_otel.evaluation import Counts, Last, Open, State
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import CellKey, Kind, LatencyObjective, Verdict
from slo_otel.recorder import Recorder
from slo_otel.units import HOUR_NS, Rolling
from tests.evaluation.samples import STEP, T0, at, key_of, latency_slo, plan_of, ratio_slo, status

MS = 1_000_000


def test_events_of_a_real_recorder_become_a_budget() -> None:
    """Good and bad operations, snapshot by snapshot: exact counts, SLI and budget of the hour."""
    plan = plan_of(ratio_slo("90%", Rolling(HOUR_NS)))
    recorder = Recorder(plan, clock=SystemClock(), writer="one", resource={})
    ledger = MemoryLedger(plan)
    good, bad = (recorder.cell(key_of(verdict)) for verdict in (Verdict.GOOD, Verdict.BAD))
    for tick in range(1, 241):
        for _ in range(19):
            good.record(0.01)
        bad.record(0.02)
        ledger.append(recorder.snapshot(T0 + tick * STEP, tick))
        ledger.append(recorder.snapshot(T0 + tick * STEP, tick))
    found = status(ledger, plan, T0 + HOUR_NS)
    assert (found.tally.good, found.tally.bad, found.state) == (240 * 19, 240, State.OK)
    assert found.budget is not None
    assert found.budget.consumed == 240 / 4800 / 0.1
    assert found.coverage == 1.0


def test_a_fork_goes_on_as_a_new_writer() -> None:
    """After `restart` the recorder counts from zero under another name: nothing is counted twice."""
    plan = plan_of(ratio_slo("90%", Rolling(HOUR_NS)))
    recorder = Recorder(plan, clock=SystemClock(), writer="parent", resource={})
    ledger = MemoryLedger(plan)
    cell = recorder.cell(key_of(Verdict.GOOD))
    for _ in range(5):
        cell.record(0.01)
    ledger.append(recorder.snapshot(T0 + STEP, 1))
    recorder.restart("child")
    for _ in range(3):
        cell.record(0.01)
    ledger.append(recorder.snapshot(T0 + 2 * STEP, 2))
    assert status(ledger, plan, T0 + HOUR_NS).tally.good == 8


def test_durations_are_judged_at_every_threshold() -> None:
    """One histogram answers p95 < 400ms and p99 < 750ms, with 400 ms itself within."""
    thresholds = (400 * MS, 750 * MS)
    fast = latency_slo("latency", "95%", 400 * MS, thresholds)
    slow = replace(fast, name="slow", objective=LatencyObjective(Fraction(99, 100), 750 * MS))
    plan = plan_of(fast, slow)
    recorder = Recorder(plan, clock=SystemClock(), writer="one", resource={})
    ledger = MemoryLedger(plan)
    cell = recorder.cell(CellKey(Kind.OPERATION, ("checkout",)))
    for duration in [0.1] * 90 + [0.4] * 5 + [0.5] * 4 + [0.8]:
        cell.record(duration)
    ledger.append(recorder.snapshot(T0 + STEP, 1))
    p95, p99 = at(ledger, plan, T0 + HOUR_NS).statuses
    assert (p95.tally.good, p95.tally.bad) == (95, 5)
    assert (p99.tally.good, p99.tally.bad) == (99, 1)


def test_gauges_and_marks_arrive() -> None:
    """What code pushed and began is answered from the recorder's own snapshot."""
    plan = plan_of(ratio_slo())
    recorder = Recorder(plan, clock=SystemClock(), writer="one", resource={})
    ledger = MemoryLedger(plan)
    recorder.gauge("depth", 7.0, (("queue", "a"),))
    recorder.mark("begin", "incident", "42", at_ns=T0, started_ns=None, attributes=())
    now = SystemClock().read().wall_ns
    ledger.append(recorder.snapshot(now, 1))
    last, opened = Last("depth", (), now + STEP, HOUR_NS), Open("incident", (), now)
    answers = ledger.answer((last, opened, Counts(plan.slos[0].measure, (), 0, now)))
    assert [sample.value for sample in answers.last[last].values()] == [7.0]
    assert answers.open[opened][()].count == 1
