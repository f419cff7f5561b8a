"""Long work on the export's thread, in short slices: an event loop that needs the interpreter gets it in between.

A thread that only computes keeps the interpreter for the switch interval, 5 ms, and a loop is late by as much. A
pause of no length at all does not help: the thread has the interpreter back before the other one has woken up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Generic, TypeVar, overload

from slo_otel import threads

SLICE_SECONDS: Final = 0.000_25
"""How long we compute without a pause. What one protobuf call takes comes on top."""
PAUSE_SECONDS: Final = 0.000_05
"""Long enough for another thread to wake up."""

T = TypeVar("T")
Row = TypeVar("Row")


def paced(items: Iterable[T]) -> Iterator[T]:
    """The items, with a pause before the next one whenever a slice is used up.

    Where others never let go of the interpreter a pause takes 5 ms, and slices of a quarter of that keep us a fifth
    of it: an export of any size ends.
    """
    until = time.perf_counter() + SLICE_SECONDS
    for item in items:
        if time.perf_counter() > until:
            took = pause()
            until = time.perf_counter() + max(SLICE_SECONDS, took / 4)
        yield item


def pause() -> float:
    """Let others run before a stretch that cannot be cut; how many seconds they took."""
    began = time.perf_counter()
    threads.sleep(PAUSE_SECONDS)
    return time.perf_counter() - began


class Points(Sequence[T], Generic[Row, T]):
    """Data points of a metric, made one by one when somebody encodes them, in slices.

    They need not all exist together, and so neither fill the memory nor call for the garbage collector, which stops
    every thread.
    """

    __slots__ = ("_make", "_rows", "_take", "_write")

    def __init__(
        self,
        rows: Sequence[Row],
        make: Callable[[Row], T],
        take: Callable[[Sequence[Row]], None] | None = None,
        write: Callable[[Row], bytes] | None = None,
    ) -> None:
        """`make` gives an equal point each time it is called with the same row; `take` is told what arrived.

        `write` gives the OTLP encoding of the same point, for an encoder that need not have the point itself.
        """
        self._rows = rows
        self._make = make
        self._take = take
        self._write = write

    @property
    def rows(self) -> Sequence[Row]:
        """What the points are made of, each from its row."""
        return self._rows

    def written(self) -> Iterator[bytes] | None:
        """The points encoded one by one; None where nobody said how."""
        return None if self._write is None else map(self._write, paced(self._rows))

    def taken(self) -> None:
        """A Collector took these points."""
        if self._take is not None:
            self._take(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[T]:
        return map(self._make, paced(self._rows))

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        if isinstance(at, slice):
            return Points(self._rows[at], self._make, self._take, self._write)
        return self._make(self._rows[at])
