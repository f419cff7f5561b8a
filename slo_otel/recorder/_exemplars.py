"""Exemplars: single events behind the totals, each with the trace that it was part of.

A cell has one place for the latest event that was bad, and one for the slowest event of each bucket of each of its
histograms. A place is one slot of a list: who fills it assigns once and takes no lock. Two threads that fill one
place at once leave one of the two there, which is as good an example as the other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from slo_otel import threads

if TYPE_CHECKING:
    from slo_otel.plan import CellKey
    from slo_otel.recorder._cell import Cell

_MOST_CELLS: Final = 1_000
"""Cells that have exemplars at a time: what is kept for each is a few kilobytes."""
_BREATH: Final = 8
"""Cells that are looked at before others may have the interpreter: at most 0.2 ms."""


class Exemplar(NamedTuple):
    """One event, as an example of its series."""

    value: float
    """Seconds; where events are counted, how many it was."""
    at_ns: int
    """Wall time, nanoseconds since the epoch."""
    first_byte: float | None = None
    """Seconds to the first byte, where that is measured."""
    trace_id: int | None = None
    """The trace and the span that were sampled; None for an event outside of any."""
    span_id: int | None = None


_Places: TypeAlias = "list[Exemplar | None]"
Kept: TypeAlias = "tuple[tuple[CellKey, tuple[Exemplar, ...]], ...]"
"""The exemplars of each cell that has some."""


class Exemplars:
    """The exemplars of one recorder, until they are forgotten because somebody has them."""

    def __init__(self) -> None:
        self._places: dict[Cell, _Places] = {}

    def wants(self, cell: Cell, value: float, first_byte: float | None = None) -> bool:
        """Whether an event that is not bad may be worth keeping: it is cheaper to ask than to make an exemplar."""
        places = self._places.get(cell)
        if places is None or first_byte is not None:
            return True
        if not cell.bounds:
            return False
        held = places[1 + bisect_left(cell.bounds, value)]
        return held is None or held.value <= value

    def keep(self, cell: Cell, exemplar: Exemplar, *, bad: bool) -> None:
        """Keep an event of a cell where it is worse than what is there; `bad` ones also as the latest one."""
        places = self._places.get(cell) or self._opened(cell)
        if places is None:
            return
        if bad:
            places[0] = exemplar
        buckets = len(cell.bounds) + 1
        if buckets > 1:
            _place(places, 1 + bisect_left(cell.bounds, exemplar.value), exemplar)
        if cell.streamed and exemplar.first_byte is not None:
            _place_first(places, 1 + buckets + bisect_left(cell.bounds, exemplar.first_byte), exemplar)

    def read(self, until_ns: int) -> Kept:
        """What is kept of the time up to `until_ns`."""
        found = ((cell.key, _distinct(places, until_ns)) for cell, places in self._breathing())
        return tuple((key, kept) for key, kept in found if kept)

    def forget(self, until_ns: int) -> None:
        """Make room: what happened up to `until_ns` has arrived."""
        for cell, places in self._breathing():
            for at, held in enumerate(places):
                if held is not None and held.at_ns <= until_ns:
                    places[at] = None
            if not any(places):
                self._places.pop(cell, None)

    def restart(self) -> None:
        """Forget everything, in the child of a fork: it happened in the parent."""
        self._places.clear()

    def _breathing(self) -> Iterator[tuple[Cell, _Places]]:
        """Every cell with its places; others may have the interpreter in between."""
        for at, each in enumerate(list(self._places.items()), 1):
            if not at % _BREATH:
                threads.sleep(0)
            yield each

    def _opened(self, cell: Cell) -> _Places | None:
        if len(self._places) >= _MOST_CELLS:
            return None
        buckets = len(cell.bounds) + 1
        return self._places.setdefault(cell, [None] * (1 + buckets * (2 if cell.streamed else 1)))


def _place(places: _Places, at: int, exemplar: Exemplar) -> None:
    held = places[at]
    if held is None or held.value <= exemplar.value:
        places[at] = exemplar


def _place_first(places: _Places, at: int, exemplar: Exemplar) -> None:
    held = places[at]
    if held is None or (held.first_byte or 0.0) <= (exemplar.first_byte or 0.0):
        places[at] = exemplar


def _distinct(places: _Places, until_ns: int) -> tuple[Exemplar, ...]:
    """Each event once, though it may be the latest and the slowest."""
    found = {id(each): each for each in places[:] if each is not None and each.at_ns <= until_ns}
    return tuple(found.values())
