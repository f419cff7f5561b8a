"""How far back the slices of a plan must reach, and how fine they stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from slo_otel.plan import Condition, Plan
from slo_otel.units import DAY_NS, HOUR_NS, Period, Rolling, Window

FINE_NS: Final = 2 * DAY_NS
"""For this long slices are as wide as the step; then as wide as the grid (DESIGN.md 3)."""
LONGEST_NS: Final = {
    Period.DAY: DAY_NS + HOUR_NS,
    Period.WEEK: 7 * DAY_NS + HOUR_NS,
    Period.MONTH: 31 * DAY_NS + HOUR_NS,
    Period.QUARTER: 92 * DAY_NS + HOUR_NS,
    Period.YEAR: 366 * DAY_NS,
}
_LENGTHS: Final = ("over_ns", "for_ns", "in_ns", "long_ns", "short_ns", "within_ns")
_LEAST_NS: Final = 8 * DAY_NS
"""A week and a day, whatever the plan asks for: look-backs, baselines, a page that shows a week."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """Slices are fine for `fine_ns`, on the grid for `keep_ns`, and then part of the base."""

    fine_ns: int
    keep_ns: int


def horizon(plan: Plan) -> Horizon:
    """The longest window that the plan names, with a day to spare for grids and late rows."""
    lengths = [_LEAST_NS, *map(_length, (slo.window for slo in plan.slos))]
    for slo in plan.slos:
        for alert in slo.alerts:
            lengths += _named(alert.condition)
    return Horizon(FINE_NS, max(lengths) + DAY_NS)


def _length(window: Window) -> int:
    return window.length_ns if isinstance(window, Rolling) else LONGEST_NS[window]


def _named(condition: Condition) -> Iterator[int]:
    for name in _LENGTHS:
        length: int | None = getattr(condition, name, None)
        if length is not None:
            yield length
