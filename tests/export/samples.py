"""A plan with every SLI form that is exported, and cells counted by brute force."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction

from opentelemetry.sdk.metrics.export import HistogramDataPoint, Metric, NumberDataPoint

from slo_otel.plan import (
    SLO,
    CellKey,
    Clause,
    CountedRule,
    Form,
    HttpTerm,
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
    Plan,
    Predicate,
    RatioObjective,
    RatioRule,
    Selection,
    StatusTest,
    Tallying,
    judge,
)
from slo_otel.recorder import CellSnapshot, Histogram, Limits, Snapshot, bucket_of
from slo_otel.units import DAY_NS, SECOND_NS, Period, Rolling, Window

MS = 1_000_000
Attributes = tuple[tuple[str, str], ...]
BORN = 1_000 * SECOND_NS
BOUNDS = tuple(sorted({0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.25, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0}))
PATIENCE = 5.0
LIMITS = Limits(series=2, overflowed_events=3, overflowed_values=5, dropped_marks=4, late_changes=6,
                after_body_errors=8, detached_events=9)  # fmt: skip


def indicator(
    name: str, rule: RatioRule | CountedRule | LatencyRule | NoRule, form: Form, **more: object
) -> Indicator:
    """An indicator over every request (over everything that is counted, for domain outcomes)."""
    terms = (HttpTerm(),) if form is not Form.COUNTED else (NameTerm("paid"), NameTerm("tried"))
    values: dict[str, object] = {"per": (), "keep": (), "thresholds": ()} | more
    per, keep, thresholds = values["per"], values["keep"], values["thresholds"]
    assert isinstance(per, tuple)
    assert isinstance(keep, tuple)
    assert isinstance(thresholds, tuple)
    return Indicator(name, form, Selection(Match(terms)), rule, f"fp-{name}", per, keep, thresholds)


def slo(name: str, of: Indicator, objective: Objective | None = None, window: Window | None = None) -> SLO:
    """A service level with defaults."""
    return SLO(name, of.name, of, objective, window or Rolling(30 * DAY_NS), Occurrences(), 1, 1)


_LATENCY = indicator(
    "speed",
    LatencyRule(None, None, int(PATIENCE * SECOND_NS), Predicate((Clause(StatusTest(404, 404)),))),
    Form.LATENCY,
    thresholds=(200 * MS, 400 * MS),
)
_TOTAL = CountedRule(Tallying.GOOD_TOTAL, good="paid", total="tried")

_SUCCESS = RatioRule(Form.SUCCESS, None, Predicate((Clause(StatusTest(404, 404)),)))

PLAN = Plan(
    service="shop",
    step_ns=15 * SECOND_NS,
    slos=(
        slo(
            "success",
            indicator("success", _SUCCESS, Form.SUCCESS),
            RatioObjective(Fraction(999, 1000)),
        ),
        slo(
            "by-region",
            indicator("by-region", RatioRule(Form.ERRORS, None), Form.ERRORS, per=("region",), keep=("route",)),
            RatioObjective(Fraction(99, 100)),
            Period.MONTH,
        ),
        slo("speed-p95", _LATENCY, LatencyObjective(Fraction(95, 100), 200 * MS)),
        slo("speed-p99", _LATENCY, LatencyObjective(Fraction(99, 100), 400 * MS)),
        slo("payments", indicator("payments", _TOTAL, Form.COUNTED), RatioObjective(Fraction(9, 10))),
        slo("seen", indicator("seen", NoRule(Form.EVENT), Form.EVENT)),
        slo("uptime", indicator("uptime", NoRule(Form.PROBE), Form.PROBE)),
    ),
    attributes=frozenset({"region"}),
)  # fmt: skip


def request(
    status: int, *, reason: str | None = None, event_stream: bool = False, attributes: Attributes = ()
) -> CellKey:
    """The key of an answered request; the outcome follows from the status."""
    outcome = Outcome.SUCCESS if status < 400 else Outcome.REJECTED if status < 500 else Outcome.ERROR
    return CellKey(
        Kind.HTTP,
        method="GET",
        route="/pay",
        status=status,
        outcome=outcome,
        reason=reason,
        event_stream=event_stream,
        attributes=attributes,
    )


def unanswered(outcome: Outcome) -> CellKey:
    """The key of a request that timed out or was left."""
    return CellKey(Kind.HTTP, method="GET", route="/pay", outcome=outcome)


def histogram(durations: Iterable[float]) -> Histogram:
    """Durations put into buckets one by one, with the sums below and above the patience for cancellations."""
    values = tuple(durations)
    counts = [0] * (len(BOUNDS) + 1)
    for value in values:
        counts[bisect_left(BOUNDS, value)] += 1
    below = tuple(value for value in values if value <= PATIENCE)
    above = tuple(value for value in values if value > PATIENCE)
    buckets = tuple(sorted(Counter(bucket_of(value) for value in values if value).items()))
    sums = (sum(below), sum(above))
    return Histogram(BOUNDS, tuple(counts), sum(values), 3, buckets, values.count(0.0), sums, (PATIENCE,))


def cell(
    key: CellKey, durations: Iterable[float] = (), *, first_bytes: Iterable[float] | None = None, born: int = BORN
) -> CellSnapshot:
    """A cell that saw these durations, with the judgements of `PLAN`."""
    values = tuple(durations)
    first = None if first_bytes is None else histogram(first_bytes)
    return CellSnapshot(key, judge(PLAN, key), born, len(values), histogram(values), first)


def count(name: str, times: int) -> CellSnapshot:
    """A cell of a counted domain outcome, which has no duration."""
    key = CellKey(Kind.COUNT, names=(name,))
    return CellSnapshot(key, judge(PLAN, key), BORN, times, None)


def snapshot(*cells: CellSnapshot, at: int = BORN + 60 * SECOND_NS) -> Snapshot:
    """A snapshot of these cells."""
    return Snapshot("w", at, 0, cells, (), (), (), LIMITS)


def numbers(metric: Metric) -> dict[tuple[tuple[str, str], ...], int | float]:
    """The values of a metric by its attributes, sorted."""
    found: dict[tuple[tuple[str, str], ...], int | float] = {}
    for point in metric.data.data_points:
        assert isinstance(point, NumberDataPoint)
        found[_key(point.attributes)] = point.value
    return found


def bars(metric: Metric) -> dict[tuple[tuple[str, str], ...], HistogramDataPoint]:
    """The histogram points of a metric by their attributes, sorted."""
    found: dict[tuple[tuple[str, str], ...], HistogramDataPoint] = {}
    for point in metric.data.data_points:
        assert isinstance(point, HistogramDataPoint)
        found[_key(point.attributes)] = point
    return found


def _key(attributes: Mapping[str, object] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in (attributes or {}).items()))


def at_most(point: HistogramDataPoint, bound: float) -> int:
    """The cumulative count `le` a bound, as Prometheus would show it."""
    return sum(point.bucket_counts[: list(point.explicit_bounds).index(bound) + 1])
