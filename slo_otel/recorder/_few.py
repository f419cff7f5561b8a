"""A few usual values in one pass: what a snapshot finds in a series that is not busy.

Sorting and then looking up bounds makes many values cheap and few dear. Looking up each value gives the same
counts sooner when there are few. A sum may differ in its last bit from that of the sorted values, as with any other
order of addition; sums of representable values are exact either way.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from slo_otel.recorder._exponential import EDGES, FIRST, Buckets
from slo_otel.recorder._snapshot import Histogram

FEW: Final = 16
"""From so many values on, sorting them is cheaper."""
_LOW: Final = EDGES[0]
_HIGH: Final = EDGES[-1]


def few(before: Histogram, values: list[float]) -> Histogram | None:
    """The histogram with `values` in it; None where that takes more: `added` says what they count as."""
    bounds, counts, total, scale, exponential, zeros, sums, cuts = before
    if cuts or not isinstance(exponential, Buckets):
        return None
    explicit, indices, buckets = list(counts), exponential.indices, exponential.counts[:]
    try:
        for value in values:
            if not _LOW < value <= _HIGH:
                return None
            explicit[bisect_left(bounds, value)] += 1
            index = FIRST + bisect_left(EDGES, value) - 1
            place = bisect_left(indices, index)
            if place == len(indices) or indices[place] != index:
                indices = exponential.opened(indices, buckets, place, index)
            buckets[place] += 1
            total += value
    except (TypeError, ValueError, OverflowError):  # no number, or a count that needs more bytes
        return None
    return Histogram(bounds, tuple(explicit), total, scale, Buckets(indices, buckets), zeros, sums, cuts)
