"""`slo.events`: what every SLO counted, as monotonic sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from functools import partial
from typing import Final

from opentelemetry.sdk.metrics.export import AggregationTemporality, Metric, NumberDataPoint, Sum

from slo_otel import names
from slo_otel.export._checkpoint import Flow, Line, flow
from slo_otel.export._exemplars import Examples, failures
from slo_otel.export._kinds import CUMULATIVE
from slo_otel.export._paced import paced
from slo_otel.export._series import Member, Origins, Series, Totals
from slo_otel.export._wire_exemplars import OF_NUMBER, exemplars
from slo_otel.export._wire_points import number_of
from slo_otel.plan import SLO, CellKey, CountedRule, Form, Judgement, Measure, NoRule, Plan, Ruling, Tallying
from slo_otel.recorder import CellSnapshot, Snapshot, Tally, tally

_ALL: Final = ("good", "bad", "excluded")
_GIVEN: Final = {
    Tallying.GOOD_BAD: _ALL,
    Tallying.GOOD_TOTAL: ("good", "excluded", "total"),
    Tallying.BAD_TOTAL: ("bad", "excluded", "total"),
}


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

    def __init__(self, plan: Plan, born_ns: int, temporality: AggregationTemporality = CUMULATIVE) -> None:
        """`born_ns` is the wall time since when this process counts."""
        self._flow: Flow[int] = flow(temporality)
        self._origins = Origins(born_ns)
        counted = tuple(slo for slo in plan.slos if verdicts(slo))
        self._verdicts = {slo.name: verdicts(slo) for slo in counted}
        self._readers: dict[tuple[str, Measure], list[str]] = {}
        for slo in counted:
            self._readers.setdefault((slo.indicator.name, slo.measure), []).append(slo.name)
        standing: Iterator[Series] = ((slo.name, ()) for slo in counted if not slo.indicator.dims)
        self._totals = Totals(standing, self._sharing, self._added_up)

    def metric(self, snapshot: Snapshot) -> Metric:
        """The metric of one snapshot; every point has the snapshot's time."""
        lines = self._totals.rows(snapshot, self._flow.among)
        shown = failures(snapshot, self._totals.cells, self._sharing)
        points = self._flow.points(lines, snapshot.taken_wall_ns, partial(_point, shown), partial(_written, shown))
        data = Sum(points, self._flow.temporality, is_monotonic=True)
        return Metric(names.EVENTS, "Events by service level and verdict.", "{event}", data)

    def reached(self, snapshot: Snapshot, behind: Set[tuple[Series, str]]) -> dict[CellKey, int]:
        """Events of the cells that are counted, and by none of these points."""
        found: dict[CellKey, int] = {}
        for cell in paced(snapshot.cells):
            points = set(self._counting(cell))
            if points and points.isdisjoint(behind):
                found[cell.key] = cell.count
        return found

    def _counting(self, cell: CellSnapshot) -> Iterator[tuple[Series, str]]:
        for series, ruling in self._sharing(cell.judgements):
            counts = tally(cell, ruling)
            for verdict in self._verdicts[series[0]]:
                if getattr(counts, verdict):
                    yield series, verdict

    def _sharing(self, judgements: tuple[Judgement, ...]) -> Iterator[tuple[Series, Ruling]]:
        for judgement in judgements:
            for name in self._readers.get((judgement.indicator, judgement.measure), ()):
                yield (name, judgement.group), judgement.ruling

    def _added_up(self, series: Series, members: Sequence[Member], time_ns: int) -> tuple[Line[int], ...]:
        told, start_ns = self._origins.of(series, members, time_ns)
        found = sum((tally(cell, ruling) for cell, ruling in members), Tally())
        return tuple(
            Line(series, verdict, told, start_ns, getattr(found, verdict)) for verdict in self._verdicts[series[0]]
        )


def _point(shown: Examples, line: Line[int], start_ns: int, time_ns: int, value: int) -> NumberDataPoint:
    told = {**line.told, names.SLO_VERDICT: line.verdict}
    return NumberDataPoint(told, start_ns, time_ns, value, shown.latest(line, start_ns))


def _written(shown: Examples, line: Line[int], start_ns: int, time_ns: int, value: int) -> bytes:
    point = number_of(line.told, line.verdict, start_ns, time_ns, value)
    return point + exemplars(OF_NUMBER, shown.latest(line, start_ns)) if shown else point
