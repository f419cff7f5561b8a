"""From a snapshot and an evaluation to OpenTelemetry's `MetricsData`, by the SDK's public types only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram,
    Gauge,
    Histogram,
    Metric,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from slo_otel import names, threads
from slo_otel.evaluation import StatusSet
from slo_otel.export._durations import durations
from slo_otel.export._environment import own_version
from slo_otel.export._events import EventSums
from slo_otel.export._gauges import evaluated, promised
from slo_otel.export._kinds import Kinds
from slo_otel.export._own import Own, OwnMetrics
from slo_otel.export._paced import Points, paced
from slo_otel.export._series import OfSeries
from slo_otel.plan import CellKey, Plan
from slo_otel.recorder import Snapshot

MAX_POINTS: Final = 1_000
"""Points in one request: with those of a histogram half a megabyte. nginx refuses more than one, gRPC four."""


CUMULATIVES: Final = Kinds()
"""Everything cumulative, in explicit histograms: what a backend can always make the rest from."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is known at one moment: what an export sends."""

    snapshot: Snapshot
    statuses: StatusSet | None
    """The newest evaluation; None before the first tick."""
    own: Own


class Translation:
    """Turns what is known into metrics. It remembers the start of each series, the series that did not change, and
    with delta temporality what was taken.

    One at a time: an export that was given up may still be at it when the next one begins.
    """

    def __init__(self, plan: Plan, born_ns: int, kinds: Kinds = CUMULATIVES) -> None:
        """`born_ns` is the wall time since when this process counts."""
        self._plan = plan
        self._turn = threads.Lock()
        self._events = EventSums(plan, born_ns, kinds.counters)
        self._durations = durations(plan, born_ns, kinds)
        self._own = OwnMetrics(born_ns, kinds)

    def metrics(self, outgoing: Outgoing, wanted: Callable[[], bool] = lambda: True) -> tuple[Metric, ...]:
        """Every metric that has a point, counters first; none where nobody is `wanted` any more.

        Say `taken` of what a Collector took, before the next call: delta temporality goes on from there.
        """
        time_ns = outgoing.snapshot.taken_wall_ns
        with self._turn:
            found = self._found(outgoing, time_ns) if wanted() else ()
        return tuple(metric for metric in found if metric.data.data_points)

    def reached(self, snapshot: Snapshot, missing: Iterable[MetricsData]) -> dict[CellKey, int]:
        """Events of the cells that a Collector has in every point that counts them, where these requests of the
        newest `metrics` did not arrive. What had nothing new to tell is not missing.
        """
        behind = {
            (row.series, row.verdict)
            for data in missing
            for name, points in _ours(data)
            if name == names.EVENTS
            for row in paced(points.rows)
        }
        return self._events.reached(snapshot, behind)

    def _found(self, outgoing: Outgoing, time_ns: int) -> tuple[Metric, ...]:
        return (
            self._events.metric(outgoing.snapshot),
            self._durations.metric(outgoing.snapshot),
            *self._own.metrics(outgoing.own, time_ns),
            *promised(self._plan, time_ns),
            *(() if outgoing.statuses is None else evaluated(outgoing.statuses)),
        )


def taken(data: MetricsData) -> None:
    """A Collector took these points: with delta temporality they are not sent again."""
    for _, points in _ours(data):
        points.taken()


def _ours(data: MetricsData) -> Iterator[tuple[str, Points[OfSeries, object]]]:
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if isinstance(metric.data.data_points, Points):
                    yield metric.name, metric.data.data_points


def requests(metrics: Iterable[Metric], resource: Resource, limit: int = MAX_POINTS) -> Iterator[MetricsData]:
    """The metrics in requests of at most `limit` points, in order; a metric may be spread over several."""
    for chunk in _chunks(metrics, limit):
        scope = ScopeMetrics(_scope(), chunk, "")
        yield MetricsData((ResourceMetrics(resource, (scope,), resource.schema_url),))


def _chunks(metrics: Iterable[Metric], limit: int) -> Iterator[tuple[Metric, ...]]:
    chunk: list[Metric] = []
    room = limit
    for metric in metrics:
        at, size = 0, len(metric.data.data_points)
        while at < size:
            taken = min(room, size - at)
            chunk.append(_part(metric, at, at + taken))
            at, room = at + taken, room - taken
            if not room:
                yield tuple(chunk)
                chunk, room = [], limit
    if chunk:
        yield tuple(chunk)


def _part(metric: Metric, start: int, end: int) -> Metric:
    data = metric.data
    if (start, end) == (0, len(data.data_points)):
        return metric
    match data:
        case Sum() | Gauge():
            return replace(metric, data=replace(data, data_points=data.data_points[start:end]))
        case Histogram():
            return replace(metric, data=replace(data, data_points=data.data_points[start:end]))
        case ExponentialHistogram():
            return replace(metric, data=replace(data, data_points=data.data_points[start:end]))
        case _:
            raise TypeError(type(data))


def _scope() -> InstrumentationScope:
    return InstrumentationScope(names.SCOPE, own_version())
