"""The base-2 exponential layout of OpenTelemetry at scale 3: eight buckets a doubling, 4.3 % relative error.

Bucket `i` holds the values in `(base^i, base^(i+1)]` with `base = 2^(1/8)` (data model, exponential histograms).
Except at powers of two an edge is irrational, so no double lies on it: `value <= edge` is the same as
`value <= the largest double below the edge`, and that double is computed in integers. So every double is in its
own bucket, not one beside it. A fixed scale needs no rescaling, which keeps counts cumulative.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, overload

SCALE: Final = 3
SMALLEST: Final = sys.float_info.min
"""The smallest normal double. Zero and subnormals count as zeros, as the data model allows."""

_PER_OCTAVE: Final = 2**SCALE


def _step(at: int) -> float:
    """The largest double not above `2^(at/8)`: three integer square roots are the floor of the eighth root."""
    root = 1 << (at + _PER_OCTAVE * 52)
    for _ in range(SCALE):
        root = math.isqrt(root)
    return math.ldexp(root, -52)


_STEPS: Final = tuple(map(_step, range(_PER_OCTAVE)))
TOP: Final = _PER_OCTAVE * 1024 - 1
"""The bucket of the largest doubles; infinity is counted there too."""


def edge(index: int) -> float:
    """The lower edge of bucket `index`, which is the upper edge of the one before; infinity past the doubles."""
    octave, at = divmod(index, _PER_OCTAVE)
    return math.inf if octave >= 1024 else math.ldexp(_STEPS[at], octave)


def index_of(value: float) -> int:
    """The bucket of a positive normal value; of infinity, the last one."""
    if value == math.inf:
        return TOP
    mantissa, exponent = math.frexp(value)
    return (exponent - 1) * _PER_OCTAVE + bisect_left(_STEPS, mantissa * 2) - 1


FIRST: Final = -30 * _PER_OCTAVE
EDGES: Final = tuple(map(edge, range(FIRST, 20 * _PER_OCTAVE + 1)))
"""One nanosecond to twelve days by one bisection; `index_of` answers for the rest of the doubles.

A value in `(EDGES[i-1], EDGES[i]]` is in bucket `FIRST + i - 1`.
"""


_NARROW: Final = 2 ** (8 * array("I").itemsize) - 1


class Buckets(Sequence[tuple[int, int]]):
    """The non-empty buckets as (index, count), ascending: equal to the tuple of them, at a tenth of its memory.

    Never changed once made; `plus` returns new ones. Indices are within ±8192, so they take two bytes each. Counts
    take four, and all of them eight from the first on that does not fit: then the array raises `OverflowError`.
    """

    __slots__ = ("counts", "indices")

    def __init__(self, indices: array[int], counts: array[int]) -> None:
        self.indices = indices
        self.counts = counts

    @staticmethod
    def of(pairs: Iterable[tuple[int, int]]) -> Buckets:
        """From (index, count), ascending."""
        found = tuple(pairs)
        wide = any(count > _NARROW for _, count in found)
        return Buckets(
            array("h", [index for index, _ in found]), array("Q" if wide else "I", [count for _, count in found])
        )

    def plus(self, ordered: Sequence[float], at: int) -> Buckets:
        """These and the ascending values from position `at` on, which are all positive and normal."""
        try:
            return self._plus(ordered, at)
        except OverflowError:
            return Buckets(self.indices, array("Q", self.counts))._plus(ordered, at)

    def _plus(self, ordered: Sequence[float], at: int) -> Buckets:
        indices, counts = self.indices, self.counts[:]
        stop = bisect_right(ordered, EDGES[-1], at)
        start = bisect_right(ordered, EDGES[0], at, stop)
        if at < start:
            indices = self._beyond(indices, counts, ordered[at:start])
        if start < stop:
            indices = self._within(indices, counts, ordered, start, stop)
        if stop < len(ordered):
            indices = self._beyond(indices, counts, ordered[stop:])
        return Buckets(indices, counts)

    def _within(
        self, indices: array[int], counts: array[int], ordered: Sequence[float], at: int, stop: int
    ) -> array[int]:
        """Values between the outermost edges: from edge to edge, one bisection of the values for each bucket."""
        first = bisect_left(EDGES, ordered[at])
        last = bisect_left(EDGES, ordered[stop - 1], first)
        index = FIRST + first - 1
        place, known = bisect_left(indices, index), len(indices)
        for upper in EDGES[first : last + 1]:
            end = bisect_right(ordered, upper, at, stop)
            if place < known and indices[place] == index:
                counts[place] += end - at
                place += 1
            elif end > at:
                indices = self.opened(indices, counts, place, index)
                counts[place] = end - at
                place += 1
                known += 1
            at = end
            index += 1
        return indices

    def _beyond(self, indices: array[int], counts: array[int], ordered: Sequence[float]) -> array[int]:
        """Values past the outermost edges, which are rare: bucket by bucket, without a table."""
        at = 0
        while at < len(ordered):
            index = index_of(ordered[at])
            end = bisect_right(ordered, edge(index + 1), at)
            place = bisect_left(indices, index)
            if place == len(indices) or indices[place] != index:
                indices = self.opened(indices, counts, place, index)
            counts[place] += end - at
            at = end
        return indices

    def opened(self, indices: array[int], counts: array[int], place: int, index: int) -> array[int]:
        """`indices` and `counts` with a new, empty bucket; the indices are copied first where they are these."""
        mine = indices[:] if indices is self.indices else indices
        mine.insert(place, index)
        counts.insert(place, 0)
        return mine

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.indices, self.counts, strict=True)

    @overload
    def __getitem__(self, at: int) -> tuple[int, int]: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[tuple[int, int], ...]: ...
    def __getitem__(self, at: int | slice) -> tuple[int, int] | tuple[tuple[int, int], ...]:
        if isinstance(at, slice):
            return tuple(self)[at]
        return self.indices[at], self.counts[at]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Buckets):
            return self.indices == other.indices and self.counts == other.counts
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


EMPTY: Final = Buckets.of(())
