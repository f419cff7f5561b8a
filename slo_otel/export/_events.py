"""`slo.events`: what every SLO counted, as monotonic cumulative sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from opentelemetry.sdk.metrics.export import AggregationTemporality, Metric, NumberDataPoint, Sum

from slo_otel import names
from slo_otel.export._paced import Points
from slo_otel.export._series import Attributes, Member, Series, Starts, Totals, attributes, born, started
from slo_otel.plan import SLO, CountedRule, Form, Judgement, Measure, NoRule, Plan, Ruling, Tallying
from slo_otel.recorder import Snapshot, Tally, tally

_ALL: Final = ("good", "bad", "excluded")
_GIVEN: Final = {
    Tallying.GOOD_BAD: _ALL,
    Tallying.GOOD_TOTAL: ("good", "excluded", "total"),
    Tallying.BAD_TOTAL: ("bad", "excluded", "total"),
}

_Row: TypeAlias = tuple[Attributes, str, int, int]
"""A point before it is made: the attributes of its series, verdict, start, value."""


def verdicts(slo: SLO) -> tuple[str, ...]:
    """The verdicts that an SLO's events have.

    Where the policy gives a total, the third number follows by subtraction and is not sent: it can go down when
    the total arrives later, which a monotonic sum must not.
    """
    match slo.indicator.rule:
        case CountedRule(tallying):
            return _GIVEN[tallying]
        case NoRule(form):
            return ("total",) if form is Form.EVENT else ()
        case _:
            return _ALL


class EventSums:
    """Adds the cells of a snapshot up to one number per SLO, group and verdict.

    A series without dimensions exists from the start, at 0, so that the first bad event is an increase. All
    verdicts of a dynamic series appear together for the same reason.
    """

    def __init__(self, plan: Plan, born_ns: int, starts: Starts) -> None:
        """`born_ns` is the wall time since when this process counts."""
        self._born_ns = born_ns
        self._starts = starts
        counted = tuple(slo for slo in plan.slos if verdicts(slo))
        self._verdicts = {slo.name: verdicts(slo) for slo in counted}
        self._readers: dict[tuple[str, Measure], list[str]] = {}
        for slo in counted:
            self._readers.setdefault((slo.indicator.name, slo.measure), []).append(slo.name)
        standing: Iterator[Series] = ((slo.name, ()) for slo in counted if not slo.indicator.dims)
        self._totals = Totals(standing, self._sharing, self._added_up)

    def metric(self, snapshot: Snapshot) -> Metric:
        """The metric of one snapshot; every point has the snapshot's time."""
        time_ns = snapshot.taken_wall_ns

        def point(row: _Row) -> NumberDataPoint:
            told, verdict, start_ns, value = row
            return NumberDataPoint({**told, names.SLO_VERDICT: verdict}, started(start_ns, time_ns), time_ns, value)

        points = Points(self._totals.rows(snapshot), point)
        data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        return Metric(names.EVENTS, "Events by service level and verdict.", "{event}", data)

    def _sharing(self, judgements: tuple[Judgement, ...]) -> Iterator[tuple[Series, Ruling]]:
        for judgement in judgements:
            for name in self._readers.get((judgement.indicator, judgement.measure), ()):
                yield (name, judgement.group), judgement.ruling

    def _added_up(self, series: Series, members: Sequence[Member], time_ns: int) -> tuple[_Row, ...]:
        name, group = series
        start_ns = self._starts.of((names.EVENTS, series), born(self._born_ns, series, members), time_ns)
        found = sum((tally(cell, ruling) for cell, ruling in members), Tally())
        told = attributes(name, group)
        return tuple((told, verdict, start_ns, getattr(found, verdict)) for verdict in self._verdicts[name])
