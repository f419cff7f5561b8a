"""Windows: grids, calendar periods through clock changes, coverage."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slo_otel.evaluation import Counts, Scope, evaluate, needs
from slo_otel.ledger import MemoryLedger
from slo_otel.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, Period, Rolling, Window
from tests.evaluation.samples import STEP, T0, Writer, period_of, plan_of, ratio_slo, status

QUARTER_HOUR = 15 * MINUTE_NS


def asked(window: Window, now_ns: int, timezone: str = "UTC") -> tuple[Counts, ...]:
    """The questions of one SLO, compliance window first."""
    found = needs(plan_of(ratio_slo("99%", window), timezone=timezone), now_ns)
    return tuple(query for query in found if isinstance(query, Counts))


def moment(text: str, zone: str) -> int:
    """A local wall time as nanoseconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()) * SECOND_NS


@pytest.mark.parametrize(
    ("window", "grid"),
    [
        (Rolling(HOUR_NS), STEP),
        (Rolling(DAY_NS - QUARTER_HOUR), STEP),
        (Rolling(DAY_NS), QUARTER_HOUR),
        (Rolling(90 * DAY_NS - QUARTER_HOUR), QUARTER_HOUR),
        (Rolling(90 * DAY_NS), HOUR_NS),
        (Period.DAY, QUARTER_HOUR),
        (Period.MONTH, QUARTER_HOUR),
        (Period.QUARTER, HOUR_NS),
        (Period.YEAR, HOUR_NS),
    ],
)
def test_long_windows_end_on_the_grid(window: Window, grid: int) -> None:
    """From a day on windows end at the last 15 minutes, from 90 days, a quarter or a year at the last hour."""
    now = T0 + 2 * HOUR_NS + 44 * MINUTE_NS + 3 * STEP
    assert asked(window, now)[0].end_ns == now - now % grid
    on_edge = T0 + 5 * HOUR_NS
    assert asked(window, on_edge)[0].end_ns == on_edge


def test_look_backs_of_a_day_and_more_end_on_the_grid_too() -> None:
    """5m to 6h move at every step, 1d and 3d every 15 minutes, as the rules read them."""
    now = T0 + 14 * MINUTE_NS
    backs = {query.end_ns - query.start_ns: query.end_ns for query in asked(Rolling(30 * DAY_NS), now)[1:]}
    short = {5 * MINUTE_NS, 30 * MINUTE_NS, HOUR_NS, 2 * HOUR_NS, 6 * HOUR_NS}
    assert backs == {**dict.fromkeys(short, now), DAY_NS: T0, 3 * DAY_NS: T0}


@pytest.mark.parametrize(("window", "count"), [(Rolling(MINUTE_NS), 0), (Rolling(HOUR_NS), 3), (Period.DAY, 6)])
def test_no_look_back_is_longer_than_the_window(window: Window, count: int) -> None:
    """A window of a minute has none, one of an hour 5m, 30m and 1h, a day all up to 1d."""
    plan = plan_of(ratio_slo("99%", window))
    assert len(status(MemoryLedger(plan), plan, T0).burns) == count


def test_questions_that_two_slos_share_are_asked_once() -> None:
    """Two targets of one SLI need the same counts."""
    one, other = ratio_slo("99%"), ratio_slo("99.9%")
    assert needs(plan_of(one, other), T0) == needs(plan_of(one), T0)


PERIODS = [
    (Period.DAY, "2026-03-29", 23 * HOUR_NS, "Europe/Warsaw"),
    (Period.DAY, "2026-10-25", 25 * HOUR_NS, "Europe/Warsaw"),
    (Period.DAY, "2026-03-08", 23 * HOUR_NS, "America/New_York"),
    (Period.DAY, "2026-11-01", 25 * HOUR_NS, "America/New_York"),
    (Period.WEEK, "2026-03-23", 7 * DAY_NS - HOUR_NS, "Europe/Warsaw"),
    (Period.MONTH, "2028-02-01", 29 * DAY_NS, "America/New_York"),
    (Period.MONTH, "2026-10-01", 31 * DAY_NS + HOUR_NS, "Europe/Warsaw"),
    (Period.QUARTER, "2026-01-01", 90 * DAY_NS - HOUR_NS, "America/New_York"),
    (Period.YEAR, "2028-01-01", 366 * DAY_NS, "Europe/Warsaw"),
    (Period.DAY, "2024-04-26", 23 * HOUR_NS, "Africa/Cairo"),
    (Period.DAY, "2024-10-31", 25 * HOUR_NS, "Africa/Cairo"),
]


@pytest.mark.parametrize(("period", "first", "length", "zone"), PERIODS)
def test_calendar_periods_have_their_own_length(period: Period, first: str, length: int, zone: str) -> None:
    """Coverage divides by the whole period: 23 and 25 hour days, month lengths, Cairo, which skips a midnight."""
    start = moment(first, zone)
    plan = plan_of(ratio_slo("99%", period), timezone=zone)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good()
    ledger.append(writer.snapshot(start - DAY_NS))
    writer.good()
    ledger.append(writer.snapshot(start + STEP))
    found = status(ledger, plan, start + 2 * HOUR_NS)
    assert found.coverage == 2 * HOUR_NS / length
    assert found.tally.good == 1
    assert found.warming_up
    complete = status(ledger, plan, start + length)
    assert (complete.coverage, complete.warming_up, complete.tally.good) == (1.0, False, 1)


def test_at_midnight_the_day_that_ends_is_shown_and_then_the_new_one() -> None:
    """The slice that ends at midnight is the old day's last; the next `as_of` belongs to the new day."""
    zone = "Europe/Warsaw"
    midnight = moment("2026-05-05", zone)
    plan = plan_of(ratio_slo("99%", Period.DAY), timezone=zone)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    for now, count in ((midnight - HOUR_NS, 1), (midnight, 10), (midnight + STEP, 100)):
        writer.good(count)
        ledger.append(writer.snapshot(now))
    before, after = (status(ledger, plan, midnight + late * MINUTE_NS) for late in (14, 15))
    assert (before.as_of_ns, before.tally.good) == (midnight, 11)
    assert (after.as_of_ns, after.tally.good) == (midnight + QUARTER_HOUR, 100)


SPRING, AUTUMN = moment("2026-03-20", "UTC"), moment("2026-10-20", "UTC")
MOMENTS = st.integers(0, 14 * 96 * 60).map(lambda steps: steps * STEP)


@given(
    st.sampled_from([Period.DAY, Period.WEEK, Period.MONTH]),
    st.sampled_from(["Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.sampled_from([SPRING, AUTUMN]),
    MOMENTS,
)
@example(Period.MONTH, "Europe/Warsaw", moment("2026-04-01", "Europe/Warsaw"), 0)
@example(Period.MONTH, "Europe/Warsaw", moment("2026-04-01", "Europe/Warsaw"), QUARTER_HOUR)
def test_calendar_windows_are_found_by_walking_back(period: Period, zone: str, base: int, offset: int) -> None:
    """A window starts where walking back in 15-minute slices from `as_of` the local date leaves the period."""
    found = asked(period, base + offset, zone)[0]
    tz = ZoneInfo(zone)
    start = found.end_ns
    while period_of(period, start, tz) == period_of(period, found.end_ns, tz):
        start -= QUARTER_HOUR
    assert found.start_ns == start


def test_coverage_starts_at_the_first_observation_and_not_before_the_period() -> None:
    """A calendar window counts from the later of its start and the first observation."""
    plan = plan_of(ratio_slo("99%", Period.DAY))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good()
    ledger.append(writer.snapshot(T0 + 6 * HOUR_NS + STEP))
    assert status(ledger, plan, T0 + 18 * HOUR_NS).coverage == 0.5
    assert status(ledger, plan, T0 + DAY_NS + 18 * HOUR_NS).coverage == 0.75


def test_before_as_of_passes_the_first_observation_nothing_is_known() -> None:
    """A first event at 00:20 is seen by a 30-day window at 00:30; until then: warming up, remaining unknown."""
    plan = plan_of(ratio_slo("99%"))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.bad(5)
    ledger.append(writer.snapshot(T0 + 20 * MINUTE_NS))
    early = status(ledger, plan, T0 + 20 * MINUTE_NS)
    assert (early.warming_up, early.coverage, early.as_of_ns) == (True, 0.0, T0 + QUARTER_HOUR)
    assert early.budget is not None
    assert early.budget.remaining is None
    seen = status(ledger, plan, T0 + 30 * MINUTE_NS)
    assert seen.budget is not None
    assert seen.budget.consumed == 5 / 5 / 0.01 * ((10 * MINUTE_NS + STEP) / (30 * DAY_NS))


def test_before_any_event_there_is_one_status_without_groups_and_none_with() -> None:
    """Never observed: no_data and warming up; with `per`, nothing until a group appears."""
    single, grouped = ratio_slo("99%"), ratio_slo("99%", name="regional", per=("region",))
    plan = plan_of(single, grouped)
    ledger = MemoryLedger(plan)
    found = evaluate(plan, ledger.answer(needs(plan, T0)), T0, scope=Scope.HOST)
    assert [status.slo for status in found.statuses] == ["checkout"]
    only = found.statuses[0]
    assert (only.state, only.warming_up, only.coverage, only.first_observed_ns) == ("no_data", True, None, None)
    assert (found.scope, found.at_ns, found.service) == (Scope.HOST, T0, "shop")
