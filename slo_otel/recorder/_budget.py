"""How much may wait unfolded in the whole registry: the sum of all limits never passes `max_pending`.

A pending duration takes 32 bytes (a float and its place), a streamed one 112, so the default budget of 2^19
values is at most 17 MB, or 59 MB if every series were streamed. Beyond its limit a cell holds one value for each
thread between its append and its check, and what arrives while a fold runs.
"""

from __future__ import annotations

from typing import Final

from slo_otel.errors import ConfigurationError
from slo_otel.recorder._cell import Cell
from slo_otel.recorder._gate import MOST_AT_ONCE
from slo_otel.threads import Lock

START: Final = 64
"""The limit of a new cell, while there are few."""
_SMALL: Final = 8
"""The limit of a new cell when there are many: a fold of so few costs about 0.5 µs an event instead of 0.1."""
_STEP: Final = 4


class Permits:
    """Each lets one cell be made, and is the cell's first limit. A list, since its `pop` is atomic: a permit taken
    twice would be a series too many.
    """

    def __init__(self, limits: list[int]) -> None:
        self._limits = limits

    def take(self) -> int | None:
        """A permit; None when there are as many cells as there may be."""
        try:
            return self._limits.pop()
        except IndexError:
            return None

    def give_back(self, limit: int) -> None:
        """The cell is not needed: another thread has made it meanwhile."""
        self._limits.append(limit)


class Budget:
    """Hands out limits. A new cell's comes with its permit, a cell that refills gets more, snapshots take it back.

    Half of `max_pending` is for permits, half for growth. Growth belongs to whoever holds `adapting`, for which
    nobody waits.
    """

    def __init__(self, max_series: int, max_overflow: int, max_pending: int) -> None:
        rest = max_pending // 2 - max_overflow * START
        if max_series < 1 or rest < max_series:
            need = 2 * (max_overflow * START + max(1, max_series))
            raise ConfigurationError(
                f"max_series={max_series} does not fit max_pending={max_pending}: "
                f"write at least max_series=1 and max_pending={need}"
            )
        small = min(_SMALL, rest // max_series)
        large = min(max_series, (rest - small * max_series) // (START - small))
        series = [small] * (max_series - large) + [START] * large
        overflow = [START] * max_overflow
        self.series = Permits(series)
        """One for each series there may be."""
        self.overflow = Permits(overflow)
        """One for each (names, verdicts) past that; all of them begin at `START`."""
        self.growth = max_pending - sum(series) - sum(overflow)
        """What no cell has been given."""
        self.adapting = Lock()

    def renew(self) -> None:
        """A fresh lock, in the child of a fork."""
        self.adapting = Lock()

    def grow(self, cell: Cell) -> None:
        """Four times the limit for a cell that refills again and again, unless a snapshot is at it.

        On the record path, so this does not wait.
        """
        adapting = self.adapting
        if adapting.acquire(blocking=False):
            try:
                self._more(cell)
            finally:
                adapting.release()

    def adapt(self, cell: Cell) -> None:
        """After a snapshot of the cell: four times the limit if it refilled since the last one, a quarter if not.

        The caller holds `adapting`.
        """
        if cell.refills:
            cell.refills = 0
            self._more(cell)
        elif cell.limit > cell.floor:
            before = cell.limit
            cell.limit = max(cell.floor, before // _STEP)
            # What came since the snapshot was held to the old limit; it must not stay above the new one.
            if len(cell.pending) >= cell.limit:
                cell.drain()
            self.growth += before - cell.limit

    def _more(self, cell: Cell) -> None:
        more = min(MOST_AT_ONCE, cell.limit * _STEP) - cell.limit
        given = max(0, min(more, self.growth))
        self.growth -= given
        cell.limit += given
