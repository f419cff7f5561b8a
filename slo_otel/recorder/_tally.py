"""From a cell's totals to verdict counts: integers, exact because every threshold is a bucket boundary."""

from __future__ import annotations

from typing import NamedTuple

from slo_otel.plan import Fixed, Ruling, Split, Verdict
from slo_otel.recorder._snapshot import CellSnapshot, Histogram
from slo_otel.units import seconds


class Tally(NamedTuple):
    """Events by verdict. `total` is used only by SLIs that are given as (good, total) or (bad, total).

    A tuple because thousands are made at each tick; but a sum of two is the sum of their counts.
    """

    good: int = 0
    bad: int = 0
    excluded: int = 0
    total: int = 0

    def __add__(self, other: Tally) -> Tally:  # type: ignore[override]  # nobody joins tallies end to end
        return Tally(
            self.good + other.good,
            self.bad + other.bad,
            self.excluded + other.excluded,
            self.total + other.total,
        )

    def __sub__(self, other: Tally) -> Tally:
        return Tally(
            self.good - other.good,
            self.bad - other.bad,
            self.excluded - other.excluded,
            self.total - other.total,
        )


def tally(cell: CellSnapshot, ruling: Ruling) -> Tally:
    """What a cell's cumulative totals are to one measure."""
    match ruling:
        case Fixed(verdict, total):
            return _of(verdict, cell.count, total=cell.count if total else 0)
        case Split(at_ns, below, above, first_byte):
            values = _values(cell, first_byte=first_byte)
            low = values.at_most(seconds(at_ns)) if values is not None else 0
            return _of(below, low) + _of(above, cell.count - low)


def _values(cell: CellSnapshot, *, first_byte: bool) -> Histogram | None:
    """A stream without a first byte was never answered: all of its events are above every threshold."""
    return cell.first_byte if first_byte else cell.duration


def _of(verdict: Verdict | None, count: int, *, total: int = 0) -> Tally:
    match verdict:
        case Verdict.GOOD:
            return Tally(good=count, total=total)
        case Verdict.BAD:
            return Tally(bad=count, total=total)
        case Verdict.EXCLUDED:
            return Tally(excluded=count, total=total)
        case None:
            return Tally(total=total)
