"""`slo.events`: what every SLO counted, as monotonic cumulative sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from opentelemetry.sdk.metrics.export import AggregationTemporality, Metric, NumberDataPoint, Sum

from slo_otel import names
from slo_otel.export._series import Attributes, Group, Starts, attributes
from slo_otel.plan import SLO, CellKey, CountedRule, Form, Measure, NoRule, Plan, Tallying
from slo_otel.recorder import CellSnapshot, Snapshot, Tally, tally

_ALL: Final = ("good", "bad", "excluded")
_GIVEN: Final = {
    Tallying.GOOD_BAD: _ALL,
    Tallying.GOOD_TOTAL: ("good", "excluded", "total"),
    Tallying.BAD_TOTAL: ("bad", "excluded", "total"),
}
_NOTHING: Final = Tally()

_Shares: TypeAlias = tuple[tuple[str, Group, Tally], ...]
"""What one cell adds: SLO, group, and the events by verdict."""


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
        self._born_ns = born_ns
        self._starts = starts
        self._slos = tuple(slo for slo in plan.slos if verdicts(slo))
        self._held: dict[CellKey, tuple[CellSnapshot, _Shares]] = {}
        self._told: dict[tuple[str, Group], tuple[tuple[str, Attributes], ...]] = {}
        self._readers: dict[tuple[str, Measure], list[str]] = {}
        for slo in self._slos:
            self._readers.setdefault((slo.indicator.name, slo.measure), []).append(slo.name)

    def metric(self, snapshot: Snapshot) -> Metric:
        """The metric of one snapshot; every point has the snapshot's time."""
        points = tuple(self._points(snapshot))
        data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        return Metric(names.EVENTS, "Events by service level and verdict.", "{event}", data)

    def _points(self, snapshot: Snapshot) -> Iterator[NumberDataPoint]:
        time_ns = snapshot.taken_wall_ns
        for slo, groups in zip(self._slos, self._totals(snapshot).values(), strict=True):
            for group, (born_ns, found) in groups.items():
                start_ns = self._starts.of((names.EVENTS, slo.name, group), born_ns, time_ns)
                for verdict, told in self._attributes(slo, group):
                    yield NumberDataPoint(told, start_ns, time_ns, getattr(found, verdict))

    def _totals(self, snapshot: Snapshot) -> dict[str, dict[Group, tuple[int, Tally]]]:
        totals = {slo.name: self._standing(slo) for slo in self._slos}
        for cell in snapshot.cells:
            for name, group, added in self._shares(cell):
                born_ns, found = totals[name].get(group, (cell.start_ns, _NOTHING))
                totals[name][group] = (min(born_ns, cell.start_ns), found + added)
        return totals

    def _standing(self, slo: SLO) -> dict[Group, tuple[int, Tally]]:
        return {} if slo.indicator.dims else {(): (self._born_ns, _NOTHING)}

    def _shares(self, cell: CellSnapshot) -> _Shares:
        """What a cell adds to each SLO. A cell that did not change is the same object, and most are idle."""
        held = self._held.get(cell.key)
        if held is not None and held[0] is cell:
            return held[1]
        shares = tuple(
            (name, judgement.group, tally(cell, judgement.ruling))
            for judgement in cell.judgements
            for name in self._readers.get((judgement.indicator, judgement.measure), ())
        )
        self._held[cell.key] = (cell, shares)
        return shares

    def _attributes(self, slo: SLO, group: Group) -> tuple[tuple[str, Attributes], ...]:
        found = self._told.get((slo.name, group))
        if found is None:
            found = tuple(
                (verdict, attributes(slo.name, group, {names.SLO_VERDICT: verdict})) for verdict in verdicts(slo)
            )
            self._told[slo.name, group] = found
        return found
