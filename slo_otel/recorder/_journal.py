"""Marks in order, bounded, kept until the ledger has them."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import TypeAlias

from slo_otel.recorder._gate import Counter, Gate
from slo_otel.recorder._snapshot import Mark

Attributes: TypeAlias = tuple[tuple[str, str], ...]
_Line: TypeAlias = tuple[str, str, str | None, int, int | None, Attributes]


class Journal(Gate):
    """What is written is numbered when it is read, in the order of arrival.

    So no mark can appear behind a number that a reader has confirmed already, which would lose it. `write` is one
    append. When full, new marks are refused and counted: what the ledger has not confirmed stays.
    """

    __slots__ = ("_append", "_incoming", "_marks", "_most", "_next", "dropped")

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._incoming: list[_Line] = []
        self._append: Callable[[_Line], None] = self._incoming.append
        self._marks: tuple[Mark, ...] = ()
        self._next = 1
        self.dropped = Counter()

    def write(
        self, kind: str, name: str, key: str | None, at_ns: int, started_ns: int | None, attributes: Attributes
    ) -> None:
        """Add one line, or count it as dropped."""
        if len(self._incoming) + len(self._marks) >= self._most:
            self.dropped.add()
        else:
            self._append((kind, name, key, at_ns, started_ns, attributes))

    def read(self) -> tuple[Mark, ...]:
        """Every mark that is not confirmed, ascending by sequence; the same tuple when nothing changed."""
        if self._incoming:
            self._change(None)
        return self._marks

    def trim(self, sequence: int) -> None:
        """Forget the marks up to and including `sequence`."""
        if self._marks and self._marks[0].sequence <= sequence:
            self._change(sequence)

    def restart(self) -> None:
        """Empty, in the child of a fork: the parent's marks are the parent's to hand on."""
        self.renew()
        self._incoming.clear()
        self._marks = ()
        self._next = 1
        self.dropped.restart()

    def _change(self, confirmed: int | None) -> None:
        lock = self.enter()
        if lock is None:
            return
        try:
            self._inside = True
            self._fold(lock, confirmed)
        finally:
            self._inside = False
            lock.release()

    def _fold(self, lock: RLock, confirmed: int | None) -> None:
        n = len(self._incoming)
        new = tuple(Mark(self._next + at, *line) for at, line in enumerate(self._incoming[:n]))
        kept = tuple(mark for mark in self._marks if confirmed is None or mark.sequence > confirmed)
        marks = kept + new
        # As in a cell: exactly the `n` seen, and nothing when the lock is another one now.
        if self._lock is lock:
            self._marks = marks
            self._next += n
            del self._incoming[:n]
