"""`slo.operation.duration`: how long the events of latency indicators took, by what the policy rules on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
)
from opentelemetry.sdk.metrics.export import Histogram as ExplicitHistogram

from slo_otel import names
from slo_otel.export._bins import Bins
from slo_otel.export._checkpoint import Flow, Line, Total, flow
from slo_otel.export._exemplars import Examples, timings
from slo_otel.export._kinds import CUMULATIVE, Kinds
from slo_otel.export._series import Member, Origins, Series, Totals
from slo_otel.export._spread import Spread, dense
from slo_otel.export._wire_exemplars import OF_EXPLICIT, OF_EXPONENTIAL, exemplars
from slo_otel.export._wire_points import explicit_of, exponential_of
from slo_otel.plan import Fixed, Form, Indicator, Judgement, Plan, Ruling, Split, Verdict
from slo_otel.recorder import HTTP_BOUNDS, SCALE, CellSnapshot, Histogram, Snapshot
from slo_otel.units import seconds

_TEXT: Final = "Durations of the events of latency service levels."


class Tray(Total, Protocol):
    """A histogram while it is added up: explicit bins, or a base-2 exponential spread."""

    def spread(self, values: Histogram) -> None:
        """Add values."""

    def spread_at_most(self, values: Histogram, bound: float) -> None:
        """Add the values of at most `bound`, which is one of their cuts."""

    def slow(self, values: Histogram) -> None:
        """Add values that are bad by ruling, whatever they are."""

    def slow_above(self, values: Histogram, bound: float) -> None:
        """Add those above `bound` in the same way."""

    def unanswered(self, count: int) -> None:
        """Add events that have no duration."""


T = TypeVar("T", bound=Tray)


@dataclass(slots=True)
class _Pair(Generic[T]):
    """The two histograms of one group."""

    valid: T
    excluded: T

    def add(self, cell: CellSnapshot, ruling: Ruling) -> None:
        """Add one cell; the rulings of its thresholds differ only in the threshold, so one stands for all."""
        duration = cell.duration
        if duration is None:
            return
        match ruling:
            case Fixed(Verdict.EXCLUDED):
                self.excluded.spread(duration)
            case Fixed(Verdict.BAD):
                self.valid.slow(duration)
            case Split(at_ns, Verdict.EXCLUDED, Verdict.BAD):
                self.excluded.spread_at_most(duration, seconds(at_ns))
                self.valid.slow_above(duration, seconds(at_ns))
            case Split(first_byte=True):
                self._answered(cell.count, cell.first_byte)
            case _:
                self.valid.spread(duration)

    def _answered(self, count: int, first: Histogram | None) -> None:
        if first is not None:
            self.valid.spread(first)
        self.valid.unanswered(count - (sum(first.counts) if first is not None else 0))


class Durations(ABC, Generic[T]):
    """One histogram per latency indicator (entry and variant), group, and valid or excluded."""

    def __init__(self, plan: Plan, born_ns: int, temporality: AggregationTemporality = CUMULATIVE) -> None:
        """`born_ns` is the wall time since when this process counts."""
        self._flow: Flow[T] = flow(temporality)
        self._origins = Origins(born_ns)
        indicators = tuple(found for found in plan.indicators if found.form is Form.LATENCY)
        self._bounds = {indicator.name: bounds(indicator) for indicator in indicators}
        self._nothing: Mapping[str, T] = {name: self._empty(found) for name, found in self._bounds.items()}
        standing: Iterator[Series] = ((each.name, ()) for each in indicators if not each.dims)
        self._totals = Totals(standing, self._sharing, self._added_up)

    @abstractmethod
    def metric(self, snapshot: Snapshot) -> Metric:
        """The metric of one snapshot; every point has the snapshot's time."""

    @abstractmethod
    def _empty(self, bounds: tuple[float, ...]) -> T:
        """A histogram without events."""

    def _lines(self, snapshot: Snapshot) -> Sequence[Line[T]]:
        return self._totals.rows(snapshot, self._flow.among)

    def _examples(self, snapshot: Snapshot) -> Examples:
        """After the lines, which take in what is new."""
        return timings(snapshot, self._totals.cells, self._sharing, self._bounds)

    def _sharing(self, judgements: tuple[Judgement, ...]) -> Iterator[tuple[Series, Ruling]]:
        """The first judgement of each indicator; the others differ only in the threshold."""
        found: dict[str, tuple[Series, Ruling]] = {}
        for judgement in judgements:
            if judgement.indicator in self._bounds:
                found.setdefault(judgement.indicator, ((judgement.indicator, judgement.group), judgement.ruling))
        return iter(found.values())

    def _added_up(self, series: Series, members: Sequence[Member], time_ns: int) -> tuple[Line[T], ...]:
        indicator = series[0]
        told, start_ns = self._origins.of(series, members, time_ns)
        pair = _Pair(self._empty(self._bounds[indicator]), self._empty(self._bounds[indicator]))
        for cell, ruling in members:
            pair.add(cell, ruling)
        excluded = pair.excluded or self._nothing[indicator]
        return (
            Line(series, "valid", told, start_ns, pair.valid),
            Line(series, "excluded", told, start_ns, excluded),
        )


class DurationHistograms(Durations[Bins]):
    """Explicit histograms: counts at each threshold are exact."""

    def metric(self, snapshot: Snapshot) -> Metric:
        """The metric of one snapshot; every point has the snapshot's time."""
        lines = self._lines(snapshot)
        shown = self._examples(snapshot)
        points = self._flow.points(
            lines, snapshot.taken_wall_ns, partial(_explicit, shown), partial(_explicit_written, shown)
        )
        return Metric(names.DURATION, _TEXT, "s", ExplicitHistogram(points, self._flow.temporality))

    def _empty(self, bounds: tuple[float, ...]) -> Bins:
        return Bins(bounds)


class ExponentialDurations(Durations[Spread]):
    """Exponential histograms: any percentile within 4.3 %, no threshold exactly."""

    def metric(self, snapshot: Snapshot) -> Metric:
        """The metric of one snapshot; every point has the snapshot's time."""
        lines = self._lines(snapshot)
        shown = self._examples(snapshot)
        points = self._flow.points(
            lines, snapshot.taken_wall_ns, partial(_exponential, shown), partial(_exponential_written, shown)
        )
        return Metric(names.DURATION, _TEXT, "s", ExponentialHistogram(points, self._flow.temporality))

    def _empty(self, bounds: tuple[float, ...]) -> Spread:
        return Spread()


def durations(plan: Plan, born_ns: int, kinds: Kinds) -> DurationHistograms | ExponentialDurations:
    """The histograms of the wanted kind."""
    chosen = ExponentialDurations if kinds.exponential else DurationHistograms
    return chosen(plan, born_ns, kinds.histograms)


def bounds(indicator: Indicator) -> tuple[float, ...]:
    """The bucket bounds of an indicator in seconds: its thresholds and those of the semantic conventions."""
    return tuple(sorted({*map(seconds, indicator.thresholds), *HTTP_BOUNDS}))


def _explicit(shown: Examples, line: Line[Bins], start_ns: int, time_ns: int, value: Bins) -> HistogramDataPoint:
    told = {**line.told, names.SLO_VERDICT: line.verdict}
    return value.point(told, start_ns, time_ns, shown.slowest(line, start_ns))


def _exponential(
    shown: Examples, line: Line[Spread], start_ns: int, time_ns: int, value: Spread
) -> ExponentialHistogramDataPoint:
    told = {**line.told, names.SLO_VERDICT: line.verdict}
    return value.point(told, start_ns, time_ns, shown.slowest(line, start_ns))


def _explicit_written(shown: Examples, line: Line[Bins], start_ns: int, time_ns: int, value: Bins) -> bytes:
    point = explicit_of(line.told, line.verdict, start_ns, time_ns, value.counts, value.bounds, value.sum)
    return point + exemplars(OF_EXPLICIT, shown.slowest(line, start_ns)) if shown else point


def _exponential_written(shown: Examples, line: Line[Spread], start_ns: int, time_ns: int, value: Spread) -> bytes:
    shift, positive = dense(value.buckets)
    point = exponential_of(
        line.told, line.verdict, start_ns, time_ns, SCALE - shift, value.zeros, positive, value.sum
    )
    return point + exemplars(OF_EXPONENTIAL, shown.slowest(line, start_ns)) if shown else point
