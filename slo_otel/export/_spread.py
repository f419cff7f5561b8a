"""Base-2 exponential histograms while they are added up: how long events took, without bounds known beforehand.

The recorder counts at scale 3 (4.3 % relative error) and never changes it, so counts add and subtract exactly. A
point takes a lower scale only where its values span more buckets than the SDK's aggregation keeps.

There is no bucket for "slow whatever it took". Events that are bad by ruling are where their durations put them;
those without a duration, and the ones whose duration is no finite number, are in no bucket and not in the count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import Buckets as DenseBuckets
from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint

from slo_otel.export._series import Attributes
from slo_otel.recorder import SCALE, Buckets, Histogram, bucket_of

MAX_SIZE: Final = 160
"""The buckets of a point at most; the default of the specification (metrics/sdk, exponential histograms)."""
_NO_NUMBER: Final = bucket_of(float("inf"))
"""Where the recorder counts what is no finite number; the largest doubles, 10^308 seconds, are there too."""
_NONE: Final = DenseBuckets(0, ())
_ABSENT: Final = cast("float", None)
"""Minimum and maximum are optional in OTLP; the SDK's types do not know that."""

Counts: TypeAlias = Sequence[tuple[int, int]]
"""(bucket, count), ascending, without empty ones."""


@dataclass(slots=True)
class Spread:
    """One histogram while it is added up, and fixed from then on."""

    buckets: Counts = ()
    zeros: int = 0
    sum: float = 0.0

    def __sub__(self, other: Spread, /) -> Spread:
        """What came since `other`. The sum is rounded, but never below zero."""
        before = dict(other.buckets)
        rest = ((at, count - before.get(at, 0)) for at, count in self.buckets)
        return Spread(
            Buckets.of((at, count) for at, count in rest if count),
            self.zeros - other.zeros,
            max(self.sum - other.sum, 0.0),
        )

    def __bool__(self) -> bool:
        """Whether there is an event in it."""
        return bool(self.zeros or self.buckets)

    def spread(self, values: Histogram) -> None:
        """Add values."""
        self._add(_finite(values), values.zeros, values.sum)

    def spread_at_most(self, values: Histogram, bound: float) -> None:
        """Add the values of at most `bound`, which is one of their cuts."""
        early, _ = _divided(values, bound)
        self._add(early, values.zeros, sum(values.sums[: values.cuts.index(bound) + 1]))

    def slow(self, values: Histogram) -> None:
        """Add values that are bad by ruling, where they are."""
        self.spread(values)

    def slow_above(self, values: Histogram, bound: float) -> None:
        """Add those above `bound`, one of their cuts."""
        _, late = _divided(values, bound)
        self._add(late, 0, sum(values.sums[values.cuts.index(bound) + 1 :]))

    def unanswered(self, count: int) -> None:
        """Events without a duration have no bucket."""

    def _add(self, buckets: Counts, zeros: int, total: float) -> None:
        self.buckets = _merged(self.buckets, buckets)
        self.zeros += zeros
        self.sum += total

    def point(
        self, told: Attributes, start_ns: int, time_ns: int, shown: Sequence[Exemplar] = ()
    ) -> ExponentialHistogramDataPoint:
        """What was added up, as a data point with these exemplars."""
        shift, positive = dense(self.buckets)
        return ExponentialHistogramDataPoint(
            attributes=told,
            start_time_unix_nano=start_ns,
            time_unix_nano=time_ns,
            count=self.zeros + sum(positive.bucket_counts),
            sum=self.sum,
            scale=SCALE - shift,
            zero_count=self.zeros,
            positive=positive,
            negative=_NONE,
            flags=0,
            min=_ABSENT,
            max=_ABSENT,
            exemplars=shown,
        )


def dense(buckets: Counts, size: int = MAX_SIZE) -> tuple[int, DenseBuckets]:
    """How many scales lower, and at most `size` buckets there, from the first to the last that is not empty.

    Bucket `i` of a scale is within bucket `i >> 1` of the next lower one (data model, perfect subsetting).
    """
    if not buckets:
        return 0, _NONE
    first, last, shift = buckets[0][0], buckets[-1][0], 0
    while (last >> shift) - (first >> shift) >= size:
        shift += 1
    offset = first >> shift
    counts = [0] * ((last >> shift) - offset + 1)
    for at, count in buckets:
        counts[(at >> shift) - offset] += count
    return shift, DenseBuckets(offset, counts)


def _merged(one: Counts, other: Counts) -> Counts:
    """Most series have one cell, whose buckets are taken as they are: they never change."""
    if not one or not other:
        return other or one
    found = dict(one)
    for at, count in other:
        found[at] = found.get(at, 0) + count
    return Buckets.of(sorted(found.items()))


def _finite(values: Histogram) -> Counts:
    buckets = values.exponential
    return buckets if not buckets or buckets[-1][0] < _NO_NUMBER else Buckets.of(buckets[:-1])


def _divided(values: Histogram, bound: float) -> tuple[Counts, Counts]:
    """The values up to `bound` and those above it, exactly, though `bound` is within a bucket.

    The explicit counts say how many are at most `bound`; those that the buckets below do not hold are in its own.
    """
    own = bucket_of(bound)
    buckets = tuple(_finite(values))
    early = [(at, count) for at, count in buckets if at < own]
    within = values.at_most(bound) - values.zeros - _total(early)
    late = [(at, count - within if at == own else count) for at, count in buckets if at >= own]
    return _filled([*early, (own, within)]), _filled(late)


def _total(buckets: Iterable[tuple[int, int]]) -> int:
    return sum(count for _, count in buckets)


def _filled(buckets: Iterable[tuple[int, int]]) -> Counts:
    return Buckets.of((at, count) for at, count in buckets if count)
