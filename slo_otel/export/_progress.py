"""What a Collector has of what was recorded: to the request, where an export arrived in part.

Who adds counters up has an event when it has all the points that count it. So much is known of requests that were
taken as they were; of one that was taken in part, nobody says which part.
"""

from __future__ import annotations

from collections.abc import Mapping

from slo_otel.export._data import Outgoing
from slo_otel.plan import CellKey


class Progress:
    """Of one outlet. `whole` and `part` are told how each export ended; totals only grow."""

    def __init__(self) -> None:
        self.sent: Outgoing | None = None
        """The newest that arrived in full."""
        self._reached: dict[CellKey, int] = {}
        """Events of cells of which more has arrived since, by exports that failed later on."""

    def whole(self, outgoing: Outgoing) -> None:
        """All of it arrived."""
        self.sent, self._reached = outgoing, {}

    def part(self, reached: Mapping[CellKey, int]) -> None:
        """So much of these cells arrived, of an export that failed."""
        self._reached.update(reached)

    def unsent(self, newest: Outgoing | None) -> int:
        """Events of what is newest that did not arrive; one that several counters have needs all of them."""
        if newest is None:
            return 0
        had = {} if self.sent is None else {cell.key: cell.count for cell in self.sent.snapshot.cells}
        return sum(
            max(cell.count - max(had.get(cell.key, 0), self._reached.get(cell.key, 0)), 0)
            for cell in newest.snapshot.cells
        )
