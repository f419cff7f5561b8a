"""From a batch of pending values to new totals: pure functions, one for each shape of cell.

A value that is no usable duration still is an event, so it is counted: a negative one (a clock that stepped back)
as 0, infinity and what is no number above every bound, since an unknown duration cannot be called fast. Only finite
values are added to sums (OpenTelemetry SDK specification, exponential histogram: such values SHOULD NOT be folded
into the sum). A sum that would leave the doubles stays at the largest one.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

from slo_otel.recorder._exponential import SMALLEST, Buckets
from slo_otel.recorder._few import FEW, few
from slo_otel.recorder._snapshot import CellSnapshot, Histogram

Value: TypeAlias = float | tuple[float, float | None]
"""What a cell takes: seconds, a count, or (seconds, seconds to the first byte or None)."""

_LARGEST: Final = sys.float_info.max


def folded(state: CellSnapshot, batch: list[Value]) -> CellSnapshot:
    """The cell's totals with `batch` added. `batch` is the caller's copy and may be reordered."""
    key, judgements, start_ns, count, duration, first = state
    if duration is None:
        numbers: list[int] = batch  # type: ignore[assignment] # what a counted cell takes
        return CellSnapshot(key, judgements, start_ns, count + _counts(numbers), None)
    if first is None:
        durations: list[float] = batch  # type: ignore[assignment] # what a timed cell takes
        return CellSnapshot(key, judgements, start_ns, count + len(batch), added(duration, durations))
    pairs: list[tuple[float, float | None]] = batch  # type: ignore[assignment] # what a streamed cell takes
    return CellSnapshot(
        key,
        judgements,
        start_ns,
        count + len(pairs),
        added(duration, [pair[0] for pair in pairs]),
        added(first, [pair[1] for pair in pairs if pair[1] is not None]),
    )


def _counts(batch: list[int]) -> int:
    """Counts below one would take events back; they count nothing."""
    return sum(batch) if min(batch) >= 0 else sum(n for n in batch if n > 0)


def added(before: Histogram, values: list[float]) -> Histogram:
    """The histogram with `values` (seconds) in it."""
    if not values:
        return before
    if len(values) < FEW and (found := few(before, values)) is not None:
        return found
    ordered, total = _sound(values)
    bounds, counts, known, scale, exponential, zeros, sums, cuts = before
    buckets = exponential if isinstance(exponential, Buckets) else Buckets.of(exponential)
    low = bisect_left(ordered, SMALLEST)
    return Histogram(
        bounds,
        _explicit(bounds, counts, ordered),
        _finite(known + total),
        scale,
        buckets.plus(ordered, low),
        zeros + low,
        _sums(before, ordered) if cuts else sums,
        cuts,
    )


def _sound(values: list[float]) -> tuple[list[float], float]:
    """The values ascending, and their sum.

    The sum tells about all of them at once: it is finite only if every value is, and sorting finite values puts a
    negative one first. So the usual batch costs two comparisons.
    """
    try:
        values.sort()
        total = sum(values, 0.0)
        if values[0] >= 0 and total < math.inf:
            return values, total
    except (TypeError, ValueError, OverflowError):
        pass  # something that is no number, or an integer past the doubles: each by itself, below
    values = sorted(map(_usable, values))
    return values, _finite(sum(values[: bisect_left(values, math.inf)]))


def _usable(value: object) -> float:
    try:
        number = float(cast("float", value))
    except (TypeError, ValueError, OverflowError):
        return math.inf
    return math.inf if math.isnan(number) else max(0.0, number)


def _finite(total: float) -> float:
    return min(total, _LARGEST)


def _explicit(bounds: tuple[float, ...], known: tuple[int, ...], ordered: Sequence[float]) -> tuple[int, ...]:
    """A value equal to a bound belongs below it: buckets are `(lower, upper]`."""
    counts = list(known)
    done, stop = 0, len(ordered)
    for at, bound in enumerate(bounds):
        end = bisect_right(ordered, bound, done)
        counts[at] += end - done
        done = end
        if done == stop:
            break
    counts[-1] += stop - done
    return tuple(counts)


def _sums(before: Histogram, ordered: Sequence[float]) -> tuple[float, ...]:
    finite = bisect_left(ordered, math.inf)
    ends = [*(bisect_right(ordered, cut, 0, finite) for cut in before.cuts), finite]
    starts = [0, *ends[:-1]]
    return tuple(
        _finite(known + sum(ordered[start:end]))
        for known, start, end in zip(before.sums, starts, ends, strict=True)
    )
