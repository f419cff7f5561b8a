"""One counter over time: cumulative verdict counts at the ends of the slices in which they changed.

A window `(start, end]` is the difference of two look-ups, so it is exact wherever both edges are kept. Thinning
keeps the last point at or before every edge of the coarse grid and therefore changes no look-up at such an edge.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from slo_otel.evaluation import Counted
from slo_otel.recorder import Tally

_BEFORE_ALL: Final = 0
"""The number of the base."""
_NARROW: Final = 2**32 - 1
"""What a column of four bytes a point holds; the first number beyond it makes the column one of eight."""
_ZERO: Final = Tally()
_new: Final = tuple.__new__
"""Makes a named tuple in half of the time its own constructor, a Python function, takes."""

Range: TypeAlias = tuple[int, int]
"""A window as the numbers of the slices at its start, which it leaves out, and at its end."""


def number_of(end_ns: int, step_ns: int) -> int:
    """The number of the slice that ends at a moment, or of the last one before it."""
    return end_ns // step_ns + 1


class Series:
    """Cumulative tallies by slice of `step_ns`. Times are wall nanoseconds; the caller holds the ledger's lock.

    Slices are kept by number, `end / step + 1`: one that ends at the epoch is number 1. Number 0 is a base that no
    window can start before: zero events at first, later what pruning left. So every look-up finds a point.
    Excluded events and totals get their columns with the first of them: most series have none, and a busy one is
    11,520 points in two days.
    """

    __slots__ = ("_columns", "_ends", "_step_ns", "_thinned", "since_ns")

    def __init__(self, step_ns: int) -> None:
        self._step_ns = step_ns
        self._ends = array("I", (_BEFORE_ALL,))
        self._columns = [array("I", (0,)), array("I", (0,))]
        """Good, bad; with the first of them also excluded and total."""
        self._thinned = 0
        self.since_ns: int | None = None
        """`first_observed`: the start of the first slice with an event; None before. Survives pruning."""

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, end_ns: int, events: Tally, times: int = 1) -> None:
        """Add events to the slice that ends at `end_ns`; late ones change what came after it too."""
        start = end_ns - self._step_ns
        if self.since_ns is None or start < self.since_ns:
            self.since_ns = start
        at = self._point(end_ns // self._step_ns + 1)
        for place, count in enumerate(events):
            if count:
                self._raise(place, at, count * times)

    def _point(self, end: int) -> int:
        """Where the slice of this number is; a new one starts with what was counted before it."""
        newest = len(self._ends) - 1
        if self._ends[newest] == end:
            return newest
        at = bisect_left(self._ends, end)
        if at > newest or self._ends[at] != end:
            if end > _NARROW and self._ends.typecode == "I":
                self._ends = array("Q", self._ends)
            self._ends.insert(at, end)
            for column in self._columns:
                column.insert(at, column[at - 1])
        return at

    def _raise(self, place: int, at: int, count: int) -> None:
        if place >= len(self._columns):
            self._columns += [array("I", bytes(4 * len(self))) for _ in range(2)]
        column = self._columns[place]
        if column[-1] + count > _NARROW and column.typecode == "I":
            column = self._columns[place] = array("Q", column)
        for later in range(at, len(column)):
            column[later] += count

    def between(self, start_ns: int, end_ns: int) -> Tally:
        """The events of the slices that end in `(start_ns, end_ns]`."""
        first, last = (self._at(number_of(edge, self._step_ns)) for edge in (start_ns, end_ns))
        return self._difference(first, last)

    def read(self, ranges: Iterable[Range]) -> Iterator[Counted]:
        """The events in each range, `first_observed`, and where the last slice with an event up to its end ends.

        For a series that was observed. Ranges that see the same events have one answer: of an idle series all do.
        The innermost loop of a tick: what `_at` finds for a range that ends now and what `_difference` does for a
        series without exclusions is done here.
        """
        ends, since, (good, bad, *rest) = self._ends, self.since_ns or 0, self._columns
        newest = len(ends) - 1
        top, top_ns = ends[newest], self._end_ns(newest)
        first = last = _BEFORE_ALL
        found = Counted(_ZERO, since, since)
        for start, end in ranges:
            was_first, was_last = first, last
            last = newest if end >= top else self._at(end)
            first = newest - top + start
            if first < 0 or start > top or ends[first] != start:
                first = self._at(start)
            if first == was_first and last == was_last:
                yield found
                continue
            if rest:
                events = self._difference(first, last)
            else:
                events = _new(Tally, (good[last] - good[first], bad[last] - bad[first], 0, 0))
            last_ns = top_ns if last == newest else self._end_ns(last) if last else since
            found = _new(Counted, (events, since, last_ns))
            yield found

    def _at(self, number: int) -> int:
        """Where the last slice up to this number is; the base where there is none.

        Numbers grow by one or more from point to point. So a number is no further from the newest point than its
        distance in slices, and exactly as far where every slice between has events.
        """
        ends = self._ends
        newest = len(ends) - 1
        away = ends[newest] - number
        if away <= 0:
            return newest
        return max(0, bisect_right(ends, number, max(0, newest - away), newest) - 1)

    def _difference(self, first: int, last: int) -> Tally:
        if first >= last:
            return _ZERO
        return Tally(*[column[last] - column[first] for column in self._columns])

    def _end_ns(self, at: int) -> int:
        return (self._ends[at] - 1) * self._step_ns

    def slices(self, start_ns: int, end_ns: int) -> Iterator[tuple[int, Tally]]:
        """The end and the events of each kept slice that ends in `(start_ns, end_ns]`, ascending."""
        first, last = (self._at(number_of(edge, self._step_ns)) for edge in (start_ns, end_ns))
        for at in range(first + 1, last + 1):
            yield self._end_ns(at), self._difference(at - 1, at)

    def drop_after(self, end_ns: int) -> None:
        """Forget the slices that end after `end_ns`: the future that a clock stepping back leaves behind."""
        keep = self._at(number_of(end_ns, self._step_ns)) + 1
        for column in (self._ends, *self._columns):
            del column[keep:]
        self._thinned = min(self._thinned, keep - 1)
        if self.since_ns is not None and self.since_ns > end_ns - self._step_ns:
            self.since_ns = None

    def thin(self, until_ns: int, grid_ns: int) -> None:
        """Of the slices up to `until_ns`, a multiple of the grid, keep the last one before each of its edges."""
        first, stop = max(1, self._thinned), bisect_right(self._ends, until_ns // self._step_ns + 1)
        if stop - first < 2:
            return
        buckets = [-((1 - end) * self._step_ns // grid_ns) for end in self._ends[first:stop]]
        kept = [first + at for at in range(len(buckets) - 1) if buckets[at] != buckets[at + 1]]
        kept.append(stop - 1)
        for column in (self._ends, *self._columns):
            column[first:stop] = array(column.typecode, [column[at] for at in kept])
        self._thinned = first + len(kept) - 1

    def prune(self, before_ns: int) -> None:
        """Fold the slices that end before `before_ns` into the base; the newest slice stays, whatever its age."""
        drop = min(bisect_left(self._ends, -(-before_ns // self._step_ns) + 1) - 1, len(self._ends) - 2)
        if drop <= 0:
            return
        for column in (self._ends, *self._columns):
            del column[:drop]
        self._ends[0] = _BEFORE_ALL
        self._thinned = max(0, self._thinned - drop)
