"""Durations judged at thresholds, snapshot by snapshot, equal a list of durations that is counted by hand."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from slo_otel.clock import SystemClock
from slo_otel.evaluation import Counts
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import CellKey, Kind, Outcome
from slo_otel.recorder import Recorder, Tally
from slo_otel.units import SECOND_NS
from tests.evaluation.samples import STEP, T0, latency_slo, plan_of

THRESHOLDS = (400_000_000, 750_000_000, 10 * SECOND_NS)
PLAN = plan_of(
    *(latency_slo(f"under-{under}", "95%", under, THRESHOLDS) for under in THRESHOLDS[:2]),
)
ANSWERED = CellKey(Kind.OPERATION, ("checkout",))
LEFT = CellKey(Kind.OPERATION, ("checkout",), outcome=Outcome.CANCELLED)
"""A client that left: bad after ten seconds, excluded before."""
TICKS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from([ANSWERED, LEFT]), st.sampled_from([0.0, 0.1, 0.4, 0.40001, 0.75, 2.0, 10.0, 11.0])
        ),
        max_size=6,
    ),
    min_size=1,
    max_size=8,
)


def judged(key: CellKey, duration: float, under_ns: int) -> Tally:
    """One event by the words of the policy: exactly the threshold is within it."""
    if key is LEFT:
        return Tally(bad=1) if duration > 10.0 else Tally(excluded=1)
    return Tally(good=1) if duration <= under_ns / SECOND_NS else Tally(bad=1)


@given(TICKS)
@example([[(ANSWERED, 0.4)], [(ANSWERED, 0.1), (ANSWERED, 2.0)], [], [(ANSWERED, 0.75)]])
@example([[(LEFT, 11.0)], [(LEFT, 0.1)]])
def test_every_slice_holds_the_durations_of_its_tick(ticks: list[list[tuple[CellKey, float]]]) -> None:
    """Each tick's events alone are in its slice, at both thresholds, whatever came before in the same series."""
    recorder = Recorder(PLAN, clock=SystemClock(), writer="one", resource={})
    ledger = MemoryLedger(PLAN)
    for number, events in enumerate(ticks, start=1):
        for key, duration in events:
            recorder.cell(key).record(duration)
        ledger.append(recorder.snapshot(T0 + number * STEP, number))
    for slo, under in zip(PLAN.slos, THRESHOLDS, strict=False):
        for number, events in enumerate(ticks, start=1):
            query = Counts(slo.measure, (), T0 + (number - 1) * STEP, T0 + number * STEP)
            found = [one.tally for one in ledger.answer((query,)).counts[query].values()]
            expected = sum((judged(*event, under) for event in events), Tally())
            assert found in ([expected], []), (slo.name, number)
            assert found or not any(ticks)
