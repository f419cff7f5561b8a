"""Plans, and writers whose events become snapshots, for the tests of evaluation and ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from slo_otel.evaluation import Group, Scope, Status, StatusSet, evaluate, needs
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import (
    SLO,
    CellKey,
    CountedRule,
    Form,
    Indicator,
    Kind,
    LatencyObjective,
    LatencyRule,
    Match,
    NameTerm,
    NoRule,
    Objective,
    Occurrences,
    Outcome,
    Overrule,
    Plan,
    RatioObjective,
    RatioRule,
    Selection,
    Verdict,
    judge,
)
from slo_otel.recorder import CellSnapshot, GaugePoint, Histogram, Limits, Mark, Snapshot
from slo_otel.units import DAY_NS, SECOND_NS, Period, Rolling, Window, parse_percent, seconds

STEP = 15 * SECOND_NS
T0 = 1_750_032_000 * SECOND_NS
"""2025-06-16 00:00 UTC, a Monday: on every grid."""
MONTH = Rolling(30 * DAY_NS)
RATIO = RatioRule(Form.SUCCESS, None)
NO_LIMITS = Limits(0, 0, 0, 0, 0, 0, 0)


def ratio_slo(
    target: str | None = "99.5%",
    window: Window = MONTH,
    *,
    name: str = "checkout",
    per: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    min_events: int = 1,
    min_failures: int = 1,
) -> SLO:
    """A `success` SLO over the operation `checkout`."""
    objective = None if target is None else RatioObjective(parse_percent(target))
    return slo_of(name, Form.SUCCESS, RATIO, objective, window, per, keep, min_events, min_failures)


def slo_of(
    name: str,
    form: Form,
    rule: RatioRule | CountedRule | LatencyRule | NoRule,
    objective: Objective | None,
    window: Window = MONTH,
    per: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    min_events: int = 1,
    min_failures: int = 1,
    thresholds: tuple[int, ...] = (),
) -> SLO:
    """Any SLO; what it counts is told by the names of its rule, else `checkout`."""
    names = [part for part in (rule.good, rule.bad, rule.total) if part] if isinstance(rule, CountedRule) else []
    match = Match(tuple(NameTerm(part) for part in names or ["checkout"]))
    indicator = Indicator(name, form, Selection(match), rule, f"print of {name}", per, keep, thresholds)
    return SLO(name, name, indicator, objective, window, Occurrences(), min_events, min_failures)


def latency_slo(name: str, target: str, under_ns: int, thresholds: tuple[int, ...]) -> SLO:
    """A `latency` SLO over the operation `checkout`, with the thresholds of its file."""
    rule = LatencyRule(only=None, until_first_byte=None, cancelled_after_ns=10 * SECOND_NS)
    objective = LatencyObjective(parse_percent(target), under_ns)
    return slo_of(name, Form.LATENCY, rule, objective, thresholds=thresholds)


def counted_slo(rule: CountedRule, target: str = "90%") -> SLO:
    """An SLO over domain outcomes that code counts."""
    return slo_of("exchange", Form.COUNTED, rule, RatioObjective(parse_percent(target)))


def plan_of(*slos: SLO, step_ns: int = STEP, timezone: str = "UTC") -> Plan:
    """A plan of these SLOs."""
    return Plan("shop", step_ns, slos, timezone=timezone)


def key_of(verdict: Verdict, group: Group = (), name: str = "checkout") -> CellKey:
    """The series whose events have this verdict in a `success` SLO."""
    outcome = Outcome.ERROR if verdict is Verdict.BAD else Outcome.SUCCESS
    overrule = Overrule.EXCLUDED if verdict is Verdict.EXCLUDED else None
    return CellKey(Kind.OPERATION, (name,), outcome=outcome, overrule=overrule, attributes=group)


class Writer:
    """A process: counts events, and says so in snapshots whose unchanged cells are the same objects."""

    def __init__(self, plan: Plan, name: str = "writer") -> None:
        self._plan = plan
        self._name = name
        self._counts: Counter[CellKey] = Counter()
        self._durations: dict[CellKey, list[float]] = {}
        self._cells: dict[CellKey, CellSnapshot] = {}
        self.gauges: tuple[GaugePoint, ...] = ()
        self.journal: tuple[Mark, ...] = ()

    def add(self, key: CellKey, count: int = 1) -> None:
        """Count events of one series."""
        self._counts[key] += count

    def good(self, count: int = 1, group: Group = ()) -> None:
        """Good events of `checkout`."""
        self.add(key_of(Verdict.GOOD, group), count)

    def bad(self, count: int = 1, group: Group = ()) -> None:
        """Bad events of `checkout`."""
        self.add(key_of(Verdict.BAD, group), count)

    def excluded(self, count: int = 1, group: Group = ()) -> None:
        """Excluded events of `checkout`."""
        self.add(key_of(Verdict.EXCLUDED, group), count)

    def timed(self, durations: Iterable[float], key: CellKey) -> None:
        """Events with durations in seconds."""
        for duration in durations:
            self._durations.setdefault(key, []).append(duration)
            self.add(key)

    def snapshot(self, wall_ns: int, mono_ns: int | None = None, *, late: bool = False) -> Snapshot:
        """Everything so far, as the recorder would say it at this moment."""
        for key, count in self._counts.items():
            known = self._cells.get(key)
            if known is None or known.count != count:
                self._cells[key] = CellSnapshot(key, judge(self._plan, key), T0, count, self._histogram(key))
        taken = wall_ns if mono_ns is None else mono_ns
        cells = tuple(self._cells.values())
        return Snapshot(self._name, wall_ns, taken, cells, self.gauges, self.journal, (), NO_LIMITS, late)

    def _histogram(self, key: CellKey) -> Histogram | None:
        if key not in self._durations:
            return None
        values = self._durations[key]
        bounds = tuple(sorted(seconds(at) for slo in self._plan.slos for at in slo.indicator.thresholds))
        edges = (*bounds, float("inf"))
        below = (float("-inf"), *bounds)
        counts = tuple(sum(low < value <= high for value in values) for low, high in zip(below, edges, strict=True))
        return Histogram(bounds, counts, sum(values), 0, (), 0)


def at(ledger: MemoryLedger, plan: Plan, now_ns: int) -> StatusSet:
    """The evaluation at a tick."""
    return evaluate(plan, ledger.answer(needs(plan, now_ns)), now_ns, scope=Scope.PROCESS)


def status(ledger: MemoryLedger, plan: Plan, now_ns: int, group: Mapping[str, str] | None = None) -> Status:
    """The status of the plan's first SLO at a tick."""
    found = at(ledger, plan, now_ns).find(plan.slos[0].name, group)
    assert found is not None
    return found


def period_of(period: Period, end_ns: int, zone: ZoneInfo) -> tuple[int, ...]:
    """What the slices of one period have in common, by the calendar alone: the local date of their last moment."""
    day = datetime.fromtimestamp(end_ns // SECOND_NS - 1, zone).date()
    match period:
        case Period.DAY:
            return (day.toordinal(),)
        case Period.WEEK:
            return tuple(day.isocalendar())[:2]
        case Period.MONTH:
            return (day.year, day.month)
        case Period.QUARTER:
            return (day.year, (day.month + 2) // 3)
        case Period.YEAR:
            return (day.year,)


def every(step_ns: int, start_ns: int, end_ns: int) -> range:
    """The multiples of the step in `(start, end]` when `start` is one."""
    return range(start_ns + step_ns, end_ns + 1, step_ns)
