"""Which slices a window covers: rolling and calendar windows, their ends (`as_of`) and look-back windows.

Sources: POLICY.md 6 (`as_of`, coverage), slo-math 1.6 (windows) and 2.4 (the 15-minute grid). Every window is
half-open, `(start, end]`, and so is a calendar period: the slice that ends at midnight holds the last events of
the day before, so the evaluation whose `as_of` is midnight shows that day, complete.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from slo_otel.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, Period, Rolling, Window, grid_ns

LOOK_BACKS_NS: Final = (
    5 * MINUTE_NS,
    30 * MINUTE_NS,
    HOUR_NS,
    2 * HOUR_NS,
    6 * HOUR_NS,
    DAY_NS,
    3 * DAY_NS,
)
"""The windows of the default burn-rate alerts (POLICY.md 7)."""

NOMINAL_NS: Final = {
    Period.DAY: DAY_NS,
    Period.WEEK: 7 * DAY_NS,
    Period.MONTH: 30 * DAY_NS,
    Period.QUARTER: 90 * DAY_NS,
    Period.YEAR: 365 * DAY_NS,
}
"""What a calendar window is taken for where its exact length does not matter: its grid and its look-backs."""


class Span(NamedTuple):
    """A window at one moment: the slices in `(start_ns, end_ns]`.

    `length_ns` is the P of coverage: the length of a rolling window, and of a calendar window the whole period
    (23 or 25 hours for a day on which clocks change), of which `(start_ns, end_ns]` is what has passed.
    """

    start_ns: int
    end_ns: int
    length_ns: int


def nominal_ns(window: Window) -> int:
    """The length of a window, without leap days and clock changes."""
    return window.length_ns if isinstance(window, Rolling) else NOMINAL_NS[window]


def span(window: Window, now_ns: int, step_ns: int, timezone: str) -> Span:
    """The compliance window at tick `now_ns`; its `end_ns` is the `as_of`."""
    end = _floor(now_ns, grid_ns(nominal_ns(window), step_ns))
    if isinstance(window, Rolling):
        return Span(end - window.length_ns, end, window.length_ns)
    start, following = calendar_period(window, end, timezone)
    return Span(start, end, following - start)


def look_back(length_ns: int, now_ns: int, step_ns: int) -> Span:
    """A rolling window of `length_ns` at tick `now_ns`, on the grid of its length."""
    end = _floor(now_ns, grid_ns(length_ns, step_ns))
    return Span(end - length_ns, end, length_ns)


def look_backs(window: Window) -> tuple[int, ...]:
    """The look-back windows of a compliance window: those not longer than it, in nanoseconds."""
    longest = nominal_ns(window)
    return tuple(length for length in LOOK_BACKS_NS if length <= longest)


@lru_cache(maxsize=64)
def calendar_period(period: Period, end_ns: int, timezone: str) -> tuple[int, int]:
    """Start and end of the period `(start, end]` that holds `end_ns`, in nanoseconds since the epoch.

    Weeks start on Monday (ISO 8601). A midnight that a clock change skips is the moment of the change; of one
    that comes twice the first counts.
    """
    zone = _zone(timezone)
    inside = datetime.fromtimestamp((end_ns - 1) // SECOND_NS, zone).date()
    first = _first_day(period, inside)
    return _midnight_ns(first, zone), _midnight_ns(_next_first_day(period, first), zone)


def _first_day(period: Period, day: date) -> date:
    match period:
        case Period.DAY:
            return day
        case Period.WEEK:
            return day - timedelta(days=day.weekday())
        case Period.MONTH:
            return day.replace(day=1)
        case Period.QUARTER:
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
        case Period.YEAR:
            return day.replace(month=1, day=1)


def _next_first_day(period: Period, first: date) -> date:
    """A day that is surely in the next period, taken back to its start."""
    days = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 31, Period.QUARTER: 92, Period.YEAR: 366}[period]
    return _first_day(period, first + timedelta(days=days))


def _zone(name: str) -> tzinfo:
    """UTC is not looked up: small images have no time zone database."""
    return UTC if name == "UTC" else ZoneInfo(name)


def _midnight_ns(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * SECOND_NS


def _floor(moment_ns: int, grid: int) -> int:
    return moment_ns - moment_ns % grid
