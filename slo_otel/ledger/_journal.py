"""What was begun and not finished, from the marks of the journal."""

from __future__ import annotations

from typing import Final

from slo_otel.evaluation import Filter, Group, Opened
from slo_otel.plan import UNSET
from slo_otel.recorder import Mark, Snapshot

MOST_OPEN: Final = 100_000
"""More open things than this are not kept; how many is part of the ledger's health."""


class Journal:
    """Follows `begin` and `finish` by name and key. Not thread-safe: the ledger locks."""

    def __init__(self) -> None:
        self._read: dict[str, int] = {}
        self._open: dict[tuple[str, str | None], Mark] = {}
        self.dropped = 0
        """Begun things that did not fit."""

    def read(self, snapshot: Snapshot) -> None:
        """Take the marks that the writer added since its last snapshot."""
        done = self._read.get(snapshot.writer, -1)
        for mark in snapshot.journal:
            if mark.sequence > done:
                self._take(mark)
                done = mark.sequence
        self._read[snapshot.writer] = done

    def _take(self, mark: Mark) -> None:
        at = (mark.name, mark.key)
        if mark.kind == "finish":
            self._open.pop(at, None)
        elif mark.kind == "begin":
            if len(self._open) >= MOST_OPEN and at not in self._open:
                self.dropped += 1
            else:
                self._open.setdefault(at, mark)

    def open(self, name: str, dims: tuple[str, ...], where: Filter, at_ns: int) -> dict[Group, Opened]:
        """What is open now of that begun by `at_ns`; an earlier moment does not bring back what has finished."""
        found: dict[Group, Opened] = {}
        for mark in self._open.values():
            values = dict(mark.attributes)
            if mark.name != name or mark.at_ns > at_ns or not _holds(where, values):
                continue
            group = tuple((dim, values.get(dim, UNSET)) for dim in dims)
            known = found.get(group, Opened(0, None))
            oldest = mark.at_ns if known.oldest_ns is None else min(known.oldest_ns, mark.at_ns)
            found[group] = Opened(known.count + 1, oldest)
        return found


def _holds(where: Filter, values: dict[str, str]) -> bool:
    return all(values.get(name, UNSET) == value for name, value in where)
