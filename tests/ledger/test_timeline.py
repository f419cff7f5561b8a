"""To which slice a snapshot belongs: off-tick, late, and with a wall clock that steps back."""

from __future__ import annotations

from slo_otel.evaluation import Counts, Last
from slo_otel.ledger import Ledger, MemoryLedger
from slo_otel.recorder import GaugePoint
from slo_otel.units import HOUR_NS
from tests.evaluation.samples import STEP, T0, Writer, plan_of, ratio_slo

PLAN = plan_of(ratio_slo("99%", per=("region",)), ratio_slo("99%", name="all"))
BY_REGION, ALL = (slo.measure for slo in PLAN.slos)
EU = (("region", "eu"),)


def good(ledger: Ledger, start_ns: int, end_ns: int) -> int:
    """Good events of `all` in a window."""
    query = Counts(ALL, (), start_ns, end_ns)
    return sum(found.tally.good for found in ledger.answer((query,)).counts[query].values())


def test_off_tick_events_belong_to_the_slice_that_is_open() -> None:
    """A flush between ticks adds to the slice that ends at the next multiple of the step."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.good(1)
    ledger.append(writer.snapshot(T0 + STEP + 1))
    writer.good(2)
    ledger.append(writer.snapshot(T0 + 2 * STEP))
    assert good(ledger, T0, T0 + STEP) == 0
    assert good(ledger, T0 + STEP, T0 + 2 * STEP) == 3


def test_a_late_row_keeps_its_slice() -> None:
    """A snapshot taken before the newest one is counted where it was taken, in windows already answered."""
    ledger, writer, slow = MemoryLedger(PLAN), Writer(PLAN), Writer(PLAN, "slow")
    slow.good(10)
    late = slow.snapshot(T0 + 2 * STEP)
    for tick in (1, 3, 4):
        writer.good()
        ledger.append(writer.snapshot(T0 + tick * STEP))
    assert good(ledger, T0 + STEP, T0 + 3 * STEP) == 1
    ledger.append(late)
    assert good(ledger, T0 + STEP, T0 + 2 * STEP) == 10
    assert good(ledger, T0 + STEP, T0 + 3 * STEP) == 11
    assert good(ledger, T0, T0 + 4 * STEP) == 13


def test_a_late_row_may_be_the_first_observation() -> None:
    """The earliest slice with an event is the first observation, whenever it arrives."""
    ledger, writer, slow = MemoryLedger(PLAN), Writer(PLAN), Writer(PLAN, "slow")
    slow.good()
    late = slow.snapshot(T0 + STEP)
    writer.good()
    ledger.append(writer.snapshot(T0 + 9 * STEP))
    ledger.append(late)
    query = Counts(ALL, (), T0, T0 + 9 * STEP)
    assert ledger.answer((query,)).counts[query][()].since_ns == T0


def test_a_late_row_from_a_future_that_was_taken_back_is_quarantined() -> None:
    """Taken before a large step back and arrived after it: its slice lies in the future, so it is only reported."""
    ledger, writer, slow = MemoryLedger(PLAN), Writer(PLAN), Writer(PLAN, "slow")
    slow.good(10)
    late = slow.snapshot(T0 + 100 * STEP, 1)
    writer.good()
    ledger.append(writer.snapshot(T0 + 100 * STEP, 2))
    writer.good()
    ledger.append(writer.snapshot(T0 + STEP, 3))
    ledger.append(late)
    assert good(ledger, T0, T0 + 200 * STEP) == 1
    assert ledger.health().quarantined == 11


def test_a_group_of_the_quarantined_future_is_forgotten() -> None:
    """After a large step back, what was first seen in the future was never seen, gauges included."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.good(4, EU)
    writer.gauges = (GaugePoint("depth", (), 7.0, T0 + 90 * STEP),)
    ledger.append(writer.snapshot(T0 + 100 * STEP, 1))
    early = Counts(BY_REGION, ("region",), T0, T0 + 5 * STEP)
    assert set(ledger.answer((early,)).counts[early]) == {EU}
    writer.gauges = ()
    ledger.append(writer.snapshot(T0 + 10 * STEP, 2))
    assert ledger.answer((early,)).counts[early] == {}
    writer.good(2)
    ledger.append(writer.snapshot(T0 + 10 * STEP, 2))
    assert set(ledger.answer((early,)).counts[early]) == {(("region", "unset"),)}
    query, last = Counts(BY_REGION, ("region",), T0, T0 + 200 * STEP), Last("depth", (), T0 + 95 * STEP, HOUR_NS)
    answers = ledger.answer((query, last))
    assert {group: found.since_ns for group, found in answers.counts[query].items()} == {
        (("region", "unset"),): T0 + 9 * STEP
    }
    assert answers.last[last] == {}
    assert ledger.health().quarantined == 4
    writer.good(1, EU)
    ledger.append(writer.snapshot(T0 + 11 * STEP, 3))
    assert ledger.answer((query,)).counts[query][EU].since_ns == T0 + 10 * STEP


def test_late_snapshots_are_counted() -> None:
    """A snapshot that holds more than one step is marked, not spread, and counted."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    ledger.append(writer.snapshot(T0))
    writer.good(8)
    ledger.append(writer.snapshot(T0 + 240 * STEP, late=True))
    assert good(ledger, T0 + 239 * STEP, T0 + 240 * STEP) == 8
    assert ledger.health().late_slices == 1
    assert ledger.health().ok
