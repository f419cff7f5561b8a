"""One series and how long its slices are kept: thinning, pruning, horizons, weight."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slo_otel.evaluation import Counts
from slo_otel.ledger import MemoryLedger
from slo_otel.ledger._horizon import horizon
from slo_otel.ledger._series import Series, number_of
from slo_otel.plan import Alert, Cmp, Failures, Verdict
from slo_otel.recorder import Tally
from slo_otel.units import DAY_NS, HOUR_NS, MINUTE_NS, Period, Rolling
from tests.evaluation.samples import STEP, T0, Writer, key_of, plan_of, ratio_slo


def busy(series: Series, start_ns: int, end_ns: int, width_ns: int) -> None:
    """One good event in every slice of `(start, end]`."""
    for end in range(start_ns + width_ns, end_ns + 1, width_ns):
        series.add(end, Tally(good=1))


def window(series: Series, start_ns: int, end_ns: int, step_ns: int = STEP) -> tuple[Tally, int]:
    """The events in a window, and where the last slice with an event up to its end ends."""
    (found,) = series.read([(number_of(start_ns, step_ns), number_of(end_ns, step_ns))])
    return found.tally, found.last_ns


def test_thinning_keeps_every_window_on_the_grid() -> None:
    """A thinned day answers every window between its edges as before, in one point for sixty."""
    series, grid = Series(STEP), 15 * MINUTE_NS
    busy(series, T0, T0 + DAY_NS, STEP)
    before = [series.between(T0 + at * grid, T0 + (at + 3) * grid) for at in range(97)]
    series.thin(T0 + DAY_NS // 2, grid)
    series.thin(T0 + DAY_NS, grid)
    assert [series.between(T0 + at * grid, T0 + (at + 3) * grid) for at in range(97)] == before
    assert len(series) == 97
    assert series.since_ns == T0


def test_pruning_folds_what_no_window_reaches() -> None:
    """What is older than the horizon goes, windows inside it stay exact, the newest point and `since` survive."""
    series = Series(HOUR_NS)
    busy(series, T0, T0 + DAY_NS, HOUR_NS)
    series.prune(T0 + 20 * HOUR_NS)
    assert series.between(T0 + 20 * HOUR_NS, T0 + DAY_NS) == Tally(good=4)
    assert (len(series), series.since_ns) == (6, T0)
    series.prune(T0 + 90 * DAY_NS)
    assert (len(series), series.since_ns) == (2, T0)
    assert window(series, T0 + DAY_NS, T0 + 90 * DAY_NS, HOUR_NS) == (Tally(), T0 + DAY_NS)


def test_thinning_goes_on_after_pruning_and_after_a_step_back() -> None:
    """What was thinned already is remembered by place, also when points before or behind it go."""
    grid = 15 * MINUTE_NS
    pruned, dropped = Series(STEP), Series(STEP)
    for series in (pruned, dropped):
        busy(series, T0, T0 + DAY_NS, STEP)
        series.thin(T0 + 12 * HOUR_NS, grid)
    pruned.prune(T0 + 6 * HOUR_NS)
    pruned.thin(T0 + DAY_NS, grid)
    assert len(pruned) == 18 * 4 + 2
    dropped.drop_after(T0 + 6 * HOUR_NS)
    busy(dropped, T0 + 6 * HOUR_NS, T0 + 12 * HOUR_NS, STEP)
    dropped.thin(T0 + 12 * HOUR_NS, grid)
    assert len(dropped) == 12 * 4 + 1


def test_a_series_that_lost_its_future_goes_on() -> None:
    """After a step back beyond all that is kept, new events count from there."""
    series = Series(HOUR_NS)
    busy(series, T0, T0 + DAY_NS, HOUR_NS)
    series.thin(T0 + DAY_NS, HOUR_NS)
    series.prune(T0 + 20 * HOUR_NS)
    series.drop_after(T0 - DAY_NS)
    assert series.since_ns is None
    series.add(T0, Tally(bad=2))
    series.thin(T0, HOUR_NS)
    assert series.between(T0 - DAY_NS, T0) == Tally(bad=2)
    assert series.since_ns == T0 - HOUR_NS


def test_a_series_of_which_only_what_was_pruned_is_left_is_as_old_as_it_was() -> None:
    """A step back behind all that is kept, not behind the first observation: no events, and no made-up last one."""
    series = Series(HOUR_NS)
    busy(series, T0, T0 + 3 * DAY_NS, HOUR_NS)
    series.prune(T0 + 2 * DAY_NS)
    series.drop_after(T0 + DAY_NS)
    assert series.since_ns == T0
    assert window(series, T0, T0 + DAY_NS, HOUR_NS) == (Tally(), T0)


def test_counts_beyond_four_bytes_stay_exact() -> None:
    """A column that outgrows 32 bits becomes a wider one; so do the numbers of slices of a very short step."""
    series = Series(100_000_000)
    for at, events in ((1, Tally(good=2**32 - 1)), (2, Tally(good=1, bad=2**40)), (3, Tally(3, 4, 2**33, 5))):
        series.add(T0 + at * 100_000_000, events)
    assert series.between(T0, T0 + DAY_NS) == Tally(2**32 + 3, 2**40 + 4, 2**33, 5)
    found = window(series, T0 + 100_000_000, T0 + 200_000_000, 100_000_000)
    assert found == (Tally(1, 2**40, 0, 0), T0 + 200_000_000)
    series.thin(T0 + HOUR_NS, HOUR_NS)
    assert series.between(T0, T0 + HOUR_NS) == Tally(2**32 + 3, 2**40 + 4, 2**33, 5)


def test_a_clock_may_begin_at_zero() -> None:
    """The slice that ends at the epoch counts like any other: a manual clock of a test starts where it likes."""
    series = Series(STEP)
    series.add(0, Tally(good=3))
    series.add(STEP, Tally(good=4))
    assert window(series, -STEP, 0) == (Tally(good=3), 0)
    assert window(series, -STEP, STEP) == (Tally(good=7), STEP)
    assert window(series, -DAY_NS, STEP) == (Tally(good=7), STEP)
    assert window(series, -DAY_NS, -STEP) == (Tally(), -STEP)
    assert list(series.slices(-DAY_NS, STEP)) == [(0, Tally(good=3)), (STEP, Tally(good=4))]
    series.thin(0, HOUR_NS)
    assert window(series, -DAY_NS, STEP) == (Tally(good=7), STEP)
    series.drop_after(-STEP)
    assert series.between(-DAY_NS, STEP) == Tally()


@pytest.mark.parametrize(
    ("window", "days"),
    [(Rolling(HOUR_NS), 9), (Rolling(30 * DAY_NS), 31), (Period.YEAR, 367), (Rolling(400 * DAY_NS), 401)],
)
def test_slices_are_kept_as_long_as_the_plan_looks_back(window: Rolling | Period, days: int) -> None:
    """The longest window of the plan and a day, at least nine days; two of them fine."""
    found = horizon(plan_of(ratio_slo("99%", window)))
    assert (found.keep_ns, found.fine_ns) == (days * DAY_NS, 2 * DAY_NS)


def test_an_alert_that_looks_back_further_keeps_slices_longer() -> None:
    """`failures > 1 in 60d` on a window of a day."""
    slo = replace(ratio_slo("99%", Rolling(DAY_NS)), alerts=(Alert("page", Failures(Cmp.GT, 1, 60 * DAY_NS)),))
    assert horizon(plan_of(slo)).keep_ns == 61 * DAY_NS


def test_a_busy_year_weighs_what_the_grid_allows() -> None:
    """Traffic in every slice for a year and a half: the ledger keeps two fine days and a year of 15 minutes."""
    plan = plan_of(ratio_slo("99%", Rolling(365 * DAY_NS)), step_ns=MINUTE_NS)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    lengths = [15 * MINUTE_NS] * (500 * 96) + [MINUTE_NS] * (3 * 1440)
    now = T0
    for length in lengths:
        now += length
        writer.add(key_of(Verdict.GOOD))
        ledger.append(writer.snapshot(now))
    (series,) = ledger._measures.series
    assert len(series) <= 366 * 96 + 2 * 1440 + 2 * 15
    year = Counts(plan.slos[0].measure, (), now - 365 * DAY_NS, now)
    (found,) = ledger.answer((year,)).counts[year].values()
    assert found.tally.good == (365 - 3) * 96 + 3 * 1440
    assert found.since_ns == T0 + 14 * MINUTE_NS
