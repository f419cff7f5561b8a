"""Calendar budgets on random streams, over clock changes and thinned history, equal sums by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slo_otel.evaluation import Status
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import Verdict
from slo_otel.units import HOUR_NS, MINUTE_NS, SECOND_NS, Period
from tests.evaluation.samples import Writer, at, key_of, period_of, plan_of, ratio_slo
from tests.ledger.model import Model

STEP = MINUTE_NS
QUARTER_HOUR = 15 * MINUTE_NS
ZONES = ("Europe/Warsaw", "America/New_York", "Africa/Cairo", "Asia/Kathmandu", "Australia/Lord_Howe")
CHANGES = ("2026-03-07", "2026-03-28", "2026-04-03", "2026-04-23", "2026-10-03", "2026-10-24", "2026-10-30")
"""Days shortly before clocks change in one of the zones."""
SLOS = tuple(ratio_slo("90%", period, name=period.value) for period in Period)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 7, 15, 45, 60, 180, 600, 1440, 2 * 1440, 5 * 1440]),
        st.sampled_from(Verdict),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=25,
)
MONDAY = [(46 * 60, Verdict.BAD, 1), (1, Verdict.BAD, 2), (3 * 1440, Verdict.GOOD, 3), *[(15, Verdict.GOOD, 4)] * 4]
"""The last slice of a week and the first of the next one, seen from days later, when both are thinned."""


def in_period(model: Model, period: Period, as_of_ns: int, zone: ZoneInfo) -> dict[Verdict, int]:
    """The events up to `as_of` whose slice has its last moment in the same period of local time."""
    now = period_of(period, as_of_ns, zone)
    sums = dict.fromkeys(Verdict, 0)
    for event in model.events:
        if event.end_ns <= as_of_ns and period_of(period, event.end_ns, zone) == now:
            sums[event.verdict] += event.count
    return sums


def check(status: Status, model: Model, now_ns: int, zone: ZoneInfo) -> None:
    """One status of the calendar against the events themselves."""
    period = Period(status.slo)
    grid = HOUR_NS if period in {Period.QUARTER, Period.YEAR} else QUARTER_HOUR
    assert status.as_of_ns == now_ns // grid * grid
    sums = in_period(model, period, status.as_of_ns, zone)
    assert (status.tally.good, status.tally.bad, status.tally.excluded) == tuple(sums[one] for one in Verdict)
    valid = sums[Verdict.GOOD] + sums[Verdict.BAD]
    assert status.budget is not None
    if not valid:
        assert status.budget.consumed is None
    elif status.budget.consumed is not None and status.coverage is not None:
        exact = Fraction(sums[Verdict.BAD], valid) * 10 * Fraction(status.coverage)
        assert status.budget.consumed == pytest.approx(float(exact), rel=1e-14)


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.sampled_from(CHANGES), EVENTS)
@example("Europe/Warsaw", "2026-03-28", [(1440, Verdict.BAD, 1), (180, Verdict.BAD, 2), (1, Verdict.GOOD, 3)])
@example("Europe/Warsaw", "2026-03-28", [(1440, Verdict.BAD, 1), (5 * 1440, Verdict.GOOD, 2)])
@example("Europe/Warsaw", "2026-03-28", MONDAY)
@example("Africa/Cairo", "2026-04-23", [(1320, Verdict.BAD, 1), (1, Verdict.GOOD, 2), (180, Verdict.GOOD, 3)])
def test_calendar_budgets_equal_sums_of_events(zone: str, day: str, events: list[tuple[int, Verdict, int]]) -> None:
    """Day, week, month, quarter and year at each step: 23 and 25 hours, skipped midnights, half-hour changes."""
    plan = plan_of(*SLOS, step_ns=STEP, timezone=zone)
    ledger, writer, model = MemoryLedger(plan), Writer(plan), Model(STEP)
    now = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * SECOND_NS
    for minutes, verdict, count in events:
        now += minutes * STEP
        writer.add(key_of(verdict), count)
        ledger.append(writer.snapshot(now))
        model.tick(now, [(verdict, (), count)])
        for status in at(ledger, plan, now).statuses:
            check(status, model, now, ZoneInfo(zone))
