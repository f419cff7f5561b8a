"""`slo.operation.duration`: explicit histograms whose buckets give the slow count of the process exactly.

Events that are bad at every threshold by ruling (timeouts, late cancellations, streams without a first byte) are in
the last bucket whatever they took, so that `count - le` at a threshold equals what the process calls slow.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from opentelemetry.sdk.metrics.export import AggregationTemporality, HistogramDataPoint, Metric
from opentelemetry.sdk.metrics.export import Histogram as HistogramData

from slo_otel import names
from slo_otel.export._paced import Points
from slo_otel.export._series import Attributes, Member, Series, Starts, Totals, attributes, born, started
from slo_otel.plan import Fixed, Form, Indicator, Judgement, Plan, Ruling, Split, Verdict
from slo_otel.recorder import HTTP_BOUNDS, CellSnapshot, Histogram, Snapshot
from slo_otel.units import seconds

_ABSENT = cast("float", None)
"""Minimum and maximum are optional in OTLP and say little when cumulative; the SDK's types do not know that."""


@dataclass(slots=True)
class Bins:
    """One histogram while it is added up. `counts` has one more entry than `bounds`."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def spread(self, values: Histogram, *, up_to: float | None = None) -> None:
        """Add values (those of at most `up_to`) to their buckets; exact since `bounds` are a subset of theirs."""
        for upper, count in zip((*values.bounds, float("inf")), values.counts, strict=True):
            if count and (up_to is None or upper <= up_to):
                self.counts[bisect_left(self.bounds, upper)] += count
        self.sum += values.sum if up_to is None else _sum_at_most(values, up_to)

    def slow(self, count: int, total: float) -> None:
        """Add events that are above every bound by ruling, and the seconds they took together."""
        self.counts[-1] += count
        self.sum += total


def _sum_at_most(values: Histogram, bound: float) -> float:
    return sum(values.sums[: values.cuts.index(bound) + 1])


def _sum_above(values: Histogram, bound: float) -> float:
    return sum(values.sums[values.cuts.index(bound) + 1 :])


@dataclass(slots=True)
class _Pair:
    """The two histograms of one group."""

    valid: Bins
    excluded: Bins

    def add(self, cell: CellSnapshot, ruling: Ruling) -> None:
        """Add one cell; the rulings of its thresholds differ only in the threshold, so one stands for all."""
        duration = cell.duration
        if duration is None:
            return
        match ruling:
            case Fixed(Verdict.EXCLUDED):
                self.excluded.spread(duration)
            case Fixed(Verdict.BAD):
                self.valid.slow(cell.count, duration.sum)
            case Split(at_ns, Verdict.EXCLUDED, Verdict.BAD):
                self._cancelled(cell, duration, seconds(at_ns))
            case Split(first_byte=True):
                self._answered(cell)
            case _:
                self.valid.spread(duration)

    def _cancelled(self, cell: CellSnapshot, duration: Histogram, patience: float) -> None:
        self.excluded.spread(duration, up_to=patience)
        self.valid.slow(cell.count - duration.at_most(patience), _sum_above(duration, patience))

    def _answered(self, cell: CellSnapshot) -> None:
        first = cell.first_byte
        if first is not None:
            self.valid.spread(first)
        self.valid.slow(cell.count - (sum(first.counts) if first is not None else 0), 0.0)


_Row: TypeAlias = tuple[Attributes, str, int, Bins]
"""A point before it is made: the attributes of its series, verdict, start, buckets."""


class DurationHistograms:
    """One histogram per latency indicator (entry and variant), group, and valid or excluded."""

    def __init__(self, plan: Plan, born_ns: int, starts: Starts) -> None:
        """`born_ns` is the wall time since when this process counts."""
        self._born_ns = born_ns
        self._starts = starts
        indicators = tuple(found for found in plan.indicators if found.form is Form.LATENCY)
        self._bounds = {indicator.name: bounds(indicator) for indicator in indicators}
        self._empty = {name: Bins(found) for name, found in self._bounds.items()}
        standing: Iterator[Series] = ((each.name, ()) for each in indicators if not each.dims)
        self._totals = Totals(standing, self._sharing, self._added_up)

    def metric(self, snapshot: Snapshot) -> Metric:
        """The metric of one snapshot; every point has the snapshot's time."""
        time_ns = snapshot.taken_wall_ns

        def made(row: _Row) -> HistogramDataPoint:
            told, verdict, start_ns, bins = row
            return point({**told, names.SLO_VERDICT: verdict}, started(start_ns, time_ns), time_ns, bins)

        points = Points(self._totals.rows(snapshot), made)
        data = HistogramData(points, AggregationTemporality.CUMULATIVE)
        return Metric(names.DURATION, "Durations of the events of latency service levels.", "s", data)

    def _sharing(self, judgements: tuple[Judgement, ...]) -> Iterator[tuple[Series, Ruling]]:
        """The first judgement of each indicator; the others differ only in the threshold."""
        found: dict[str, tuple[Series, Ruling]] = {}
        for judgement in judgements:
            if judgement.indicator in self._bounds:
                found.setdefault(judgement.indicator, ((judgement.indicator, judgement.group), judgement.ruling))
        return iter(found.values())

    def _added_up(self, series: Series, members: Sequence[Member], time_ns: int) -> tuple[_Row, ...]:
        indicator, group = series
        start_ns = self._starts.of((names.DURATION, series), born(self._born_ns, series, members), time_ns)
        pair = _Pair(Bins(self._bounds[indicator]), Bins(self._bounds[indicator]))
        for cell, ruling in members:
            pair.add(cell, ruling)
        told = attributes(indicator, group)
        excluded = pair.excluded if any(pair.excluded.counts) else self._empty[indicator]
        return (told, "valid", start_ns, pair.valid), (told, "excluded", start_ns, excluded)


def bounds(indicator: Indicator) -> tuple[float, ...]:
    """The bucket bounds of an indicator in seconds: its thresholds and those of the semantic conventions."""
    return tuple(sorted({*map(seconds, indicator.thresholds), *HTTP_BOUNDS}))


def point(told: Attributes, start_ns: int, time_ns: int, bins: Bins) -> HistogramDataPoint:
    """A histogram point of what was added up."""
    return HistogramDataPoint(
        attributes=told,
        start_time_unix_nano=start_ns,
        time_unix_nano=time_ns,
        count=sum(bins.counts),
        sum=bins.sum,
        bucket_counts=tuple(bins.counts),
        explicit_bounds=bins.bounds,
        min=_ABSENT,
        max=_ABSENT,
    )
