"""Marks in order, bounded, kept until the ledger has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from slo_otel.recorder._gate import Counter, Gate
from slo_otel.recorder._snapshot import Mark
from slo_otel.threads import RLock

Attributes: TypeAlias = tuple[tuple[str, str], ...]
_Line: TypeAlias = tuple[str, str, str | None, int, int | None, Attributes]


class Journal(Gate):
    """What is written is numbered when it is read, in the order of arrival.

    So no mark can appear behind a number that a reader has confirmed already, which would lose it. `write` is one
    append. When full, new marks are refused and counted: what the ledger has not confirmed stays. One list tells
    how full it is, so that there is no moment, while it is read, in which a mark is counted twice.
    """

    __slots__ = ("_append", "_lines", "_marks", "_most", "_next", "dropped")

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._lines: list[_Line] = []
        """Whatever is not confirmed."""
        self._append: Callable[[_Line], None] = self._lines.append
        self._marks: tuple[Mark, ...] = ()
        """The first of the lines, as they were read."""
        self._next = 1
        self.dropped = Counter()

    def write(
        self, kind: str, name: str, key: str | None, at_ns: int, started_ns: int | None, attributes: Attributes
    ) -> None:
        """Add one line, or count it as dropped."""
        if len(self._lines) >= self._most:
            self.dropped.add()
        else:
            self._append((kind, name, key, at_ns, started_ns, attributes))

    def read(self) -> tuple[Mark, ...]:
        """Every mark that is not confirmed, ascending by sequence; the same tuple when nothing changed."""
        if len(self._lines) > len(self._marks):
            self._change(0)
        return self._marks

    def trim(self, sequence: int) -> None:
        """Forget the marks up to and including `sequence`."""
        if self._marks and self._marks[0].sequence <= sequence:
            self._change(sequence)

    def restart(self) -> None:
        """Empty, in the child of a fork: the parent's marks are the parent's to hand on."""
        self.renew()
        self._lines.clear()
        self._marks = ()
        self._next = 1
        self.dropped.restart()

    def _change(self, confirmed: int) -> None:
        lock = self.enter()
        if lock is None:
            return
        try:
            self._inside = True
            self._fold(lock, confirmed)
        finally:
            self._inside = False
            lock.release()

    def _fold(self, lock: RLock, confirmed: int) -> None:
        known, following = self._marks, self._next
        lines = self._lines[len(known) :]
        new = tuple(Mark(following + at, *line) for at, line in enumerate(lines))
        marks = tuple(mark for mark in known + new if mark.sequence > confirmed)
        gone = len(known) + len(new) - len(marks)
        # As in a cell: exactly what was seen, from the front, and nothing when the lock is another one now.
        if self._lock is lock and self._inside:
            self._marks = marks
            self._next = following + len(new)
            del self._lines[:gone]
