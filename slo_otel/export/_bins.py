"""Explicit histograms while they are added up: buckets that give the slow count of the process exactly.

Events that are bad at every threshold by ruling (timeouts, late cancellations, streams without a first byte) are in
the last bucket whatever they took, so that `count - le` at a threshold equals what the process calls slow.
"""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import HistogramDataPoint

from slo_otel.export._series import Attributes
from slo_otel.recorder import Histogram

_ABSENT = cast("float", None)
"""Minimum and maximum are optional in OTLP and say little when cumulative; the SDK's types do not know that."""


@dataclass(slots=True)
class Bins:
    """One histogram while it is added up, and fixed from then on. `counts` has one more entry than `bounds`."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def __sub__(self, other: Bins, /) -> Bins:
        """What came since `other`. The sum is rounded, but never below zero."""
        counts = list(map(operator.sub, self.counts, other.counts))
        return Bins(self.bounds, counts, max(self.sum - other.sum, 0.0))

    def __bool__(self) -> bool:
        """Whether there is an event in it."""
        return any(self.counts)

    def spread(self, values: Histogram) -> None:
        """Add values to their buckets; exact since `bounds` are a subset of theirs, mostly the same."""
        if values.bounds == self.bounds:
            self.counts = list(map(operator.add, self.counts, values.counts))
        else:
            self._spread(values, float("inf"))
        self.sum += values.sum

    def spread_at_most(self, values: Histogram, bound: float) -> None:
        """Add the values of at most `bound`, which is one of their cuts."""
        self._spread(values, bound)
        self.sum += sum(values.sums[: values.cuts.index(bound) + 1])

    def _spread(self, values: Histogram, most: float) -> None:
        for upper, count in zip((*values.bounds, float("inf")), values.counts, strict=True):
            if count and upper <= most:
                self.counts[bisect_left(self.bounds, upper)] += count

    def slow(self, values: Histogram) -> None:
        """Add values that are above every bound by ruling, whatever they are."""
        self.counts[-1] += sum(values.counts)
        self.sum += values.sum

    def slow_above(self, values: Histogram, bound: float) -> None:
        """Add those above `bound`, one of their cuts, in the same way."""
        self.counts[-1] += sum(values.counts) - values.at_most(bound)
        self.sum += sum(values.sums[values.cuts.index(bound) + 1 :])

    def unanswered(self, count: int) -> None:
        """Add events that have no duration, which nobody can call fast."""
        self.counts[-1] += count

    def point(
        self, told: Attributes, start_ns: int, time_ns: int, shown: Sequence[Exemplar] = ()
    ) -> HistogramDataPoint:
        """What was added up, as a data point with these exemplars."""
        return HistogramDataPoint(
            attributes=told,
            start_time_unix_nano=start_ns,
            time_unix_nano=time_ns,
            count=sum(self.counts),
            sum=self.sum,
            bucket_counts=tuple(self.counts),
            explicit_bounds=self.bounds,
            min=_ABSENT,
            max=_ABSENT,
            exemplars=shown,
        )
