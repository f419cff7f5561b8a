"""Traffic that goes on while exports fail, and a Collector that adds up what it takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
)
from opentelemetry.sdk.resources import Resource

from slo_otel import names
from slo_otel.export import Kinds, Outgoing, Own, Translation, requests
from slo_otel.plan import CellKey
from slo_otel.recorder import CellSnapshot
from tests.export.loops import SECOND
from tests.export.samples import BORN, LIMITS, PLAN, cell, snapshot

DELTA = AggregationTemporality.DELTA
DELTAS = Kinds(DELTA, DELTA, DELTA)
EXPONENTIAL_DELTAS = Kinds(DELTA, DELTA, DELTA, exponential=True)
OURS = (names.EVENTS, names.DURATION)
ZEROS = -(2**31)
"""Stands for the bucket of zero."""
Series: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
Point: TypeAlias = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint


@dataclass
class Traffic:
    """Cells that grow. One that did not is the same object in the next snapshot, as the recorder's are."""

    seconds: int = 60
    durations: dict[CellKey, list[float]] = field(default_factory=dict)
    cells: dict[CellKey, CellSnapshot] = field(default_factory=dict)

    def record(self, key: CellKey, duration: float) -> None:
        """One event; a new series is born just before it."""
        before = self.durations.setdefault(key, [])
        before.append(duration)
        born = self.cells[key].start_ns if key in self.cells else BORN + self.seconds * SECOND + 1
        first = before[::2] if key.event_stream else None
        self.cells[key] = cell(key, before, first_bytes=first, born=born)

    def outgoing(self, after: int = 60) -> Outgoing:
        """What is known some seconds later."""
        self.seconds += after
        taken = snapshot(*self.cells.values(), at=BORN + self.seconds * SECOND)
        return Outgoing(taken, None, Own(LIMITS, 0, 0))


def _series(metric: Metric, point: Point) -> Series:
    return metric.name, tuple(sorted((name, str(value)) for name, value in (point.attributes or {}).items()))


def points_of(data: MetricsData) -> Iterator[tuple[Series, Point]]:
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        if metric.name in OURS:
            for point in metric.data.data_points:
                yield _series(metric, point), point


@dataclass
class Told:
    """What one point or several say: counts by bucket, of exponential histograms at their coarsest scale."""

    scale: int
    counts: Counter[int]

    def add(self, other: Told) -> Told:
        """Both; a bucket of one scale is within one of each coarser scale."""
        scale = min(self.scale, other.scale)
        return Told(scale, self.at(scale) + other.at(scale))

    def at(self, scale: int) -> Counter[int]:
        """The counts at a coarser scale."""
        found: Counter[int] = Counter()
        for bucket, count in self.counts.items():
            found[bucket if bucket == ZEROS else bucket >> (self.scale - scale)] += count
        return found


@dataclass
class Collector:
    """Adds up what it takes, and insists that the points of a series follow each other without gap or overlap."""

    told: dict[Series, Told] = field(default_factory=dict)
    sums: dict[Series, float] = field(default_factory=dict)
    spans: dict[Series, tuple[int, int]] = field(default_factory=dict)

    def take(self, data: MetricsData) -> None:
        """Add a request."""
        for series, point in points_of(data):
            first, end = self.spans.get(series, (point.start_time_unix_nano, point.start_time_unix_nano))
            assert end == point.start_time_unix_nano < point.time_unix_nano
            self.spans[series] = (first, point.time_unix_nano)
            told = told_by(point)
            assert any(told.counts.values())
            self.told[series] = self.told[series].add(told) if series in self.told else told
            self.sums[series] = self.sums.get(series, 0.0) + _seconds(point)


def told_by(point: Point) -> Told:
    if isinstance(point, NumberDataPoint):
        assert isinstance(point.value, int)
        return Told(0, +Counter({0: point.value}))
    if isinstance(point, HistogramDataPoint):
        assert point.count == sum(point.bucket_counts)
        return Told(0, +Counter(dict(enumerate(point.bucket_counts))))
    positive = point.positive
    assert point.count == point.zero_count + sum(positive.bucket_counts)
    buckets = {positive.offset + at: count for at, count in enumerate(positive.bucket_counts)}
    return Told(point.scale, +Counter({**buckets, ZEROS: point.zero_count}))


def _seconds(point: Point) -> float:
    return 0.0 if isinstance(point, NumberDataPoint) else point.sum


def chunks(translation: Translation, outgoing: Outgoing, limit: int = 3) -> Iterator[MetricsData]:
    ours = [each for each in translation.metrics(outgoing) if each.name in OURS]
    return requests(ours, Resource({}), limit)


def agree(collector: Collector, traffic: Traffic, kinds: Kinds) -> None:
    """The Collector has what a cumulative export would say, and since when it would say it."""
    whole = Collector()
    for data in chunks(Translation(PLAN, BORN, Kinds(exponential=kinds.exponential)), traffic.outgoing(0)):
        for series, point in points_of(data):
            if (told := told_by(point)).counts:
                whole.told[series], whole.sums[series] = told, _seconds(point)
    assert collector.told.keys() == whole.told.keys()
    for series, told in whole.told.items():
        scale = min(told.scale, collector.told[series].scale)
        assert collector.told[series].at(scale) == told.at(scale)
    for series, total in whole.sums.items():
        assert abs(collector.sums[series] - total) <= 2 * math.ulp(total)
