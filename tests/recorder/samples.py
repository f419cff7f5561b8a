"""A plan with every kind of ruling, keys of its events, and histograms counted by brute force."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction

from slo_otel.clock import Reading
from slo_otel.plan import (
    SLO,
    CellKey,
    CountedRule,
    Form,
    HttpTerm,
    Indicator,
    Kind,
    LatencyRule,
    Match,
    NameTerm,
    Occurrences,
    Outcome,
    Plan,
    RatioObjective,
    RatioRule,
    Selection,
    Tallying,
)
from slo_otel.recorder import Recorder
from slo_otel.units import SECOND_NS, Rolling

MS = 1_000_000
PATIENCE_NS = 2 * SECOND_NS
BORN = 1_000 * SECOND_NS
Rule = RatioRule | CountedRule | LatencyRule


class Clock:
    """Stands still; a test moves it by hand."""

    def __init__(self, wall_ns: int = BORN) -> None:
        self.wall_ns = wall_ns

    @property
    def perf(self) -> Callable[[], float]:
        """Not used by the recorder."""
        return lambda: 0.0

    def read(self) -> Reading:
        """Both clocks at the same number."""
        return Reading(self.wall_ns, self.wall_ns)


def slo(indicator: Indicator) -> SLO:
    """An SLO around an indicator; the recorder reads nothing else of it."""
    target = RatioObjective(Fraction(99, 100))
    return SLO(indicator.name, indicator.name, indicator, target, Rolling(3600 * SECOND_NS), Occurrences(), 20, 1)


def over_http(name: str, form: Form, rule: Rule, thresholds: tuple[int, ...] = ()) -> Indicator:
    """An indicator over every request, per route."""
    return Indicator(name, form, Selection(Match((HttpTerm(),))), rule, f"fp-{name}", ("route",), (), thresholds)


AVAILABLE = over_http("available", Form.SUCCESS, RatioRule(Form.SUCCESS, None, cancelled_after_ns=PATIENCE_NS))
FAST = over_http("fast", Form.LATENCY, LatencyRule(None, None, 400 * MS), (200 * MS, 400 * MS))
PAID = Indicator(
    "paid",
    Form.COUNTED,
    Selection(Match((NameTerm("paid"), NameTerm("unpaid")))),
    CountedRule(Tallying.GOOD_BAD, good="paid", bad="unpaid"),
    "fp-paid",
)
PLAN = Plan("shop", 15 * SECOND_NS, (slo(AVAILABLE), slo(FAST), slo(PAID)))


def recorder(
    *, max_series: int = 10_000, max_pending: int = 2**19, max_marks: int = 10_000, max_gauges: int = 1_000
) -> Recorder:
    """A registry for `PLAN` whose clock stands still."""
    return Recorder(
        PLAN,
        clock=Clock(),
        writer="w1",
        resource={},
        max_series=max_series,
        max_pending=max_pending,
        max_marks=max_marks,
        max_gauges=max_gauges,
    )


def request(status: int = 200, route: str = "/pay", *, event_stream: bool = False) -> CellKey:
    """An answered request."""
    outcome = Outcome.SUCCESS if status < 400 else Outcome.REJECTED if status < 500 else Outcome.ERROR
    return CellKey(Kind.HTTP, method="GET", route=route, status=status, outcome=outcome, event_stream=event_stream)


def left(route: str = "/pay") -> CellKey:
    """A request whose client went away."""
    return CellKey(Kind.HTTP, method="GET", route=route, outcome=Outcome.CANCELLED)


def counted(name: str) -> CellKey:
    """A domain event."""
    return CellKey(Kind.COUNT, names=(name,))


def bucket(value: float) -> int:
    """The exponential bucket of a double, by exact integer comparison: `2^(i/8) < value <= 2^((i+1)/8)`."""
    power = Fraction(value) ** 8
    index = math.floor(math.log2(value) * 8)
    while power <= Fraction(2) ** index:
        index -= 1
    while power > Fraction(2) ** (index + 1):
        index += 1
    return index


def exponential(values: Iterable[float]) -> tuple[tuple[int, int], ...]:
    """(index, count) of positive normal values, ascending."""
    found: dict[int, int] = {}
    for value in values:
        found[bucket(value)] = found.get(bucket(value), 0) + 1
    return tuple(sorted(found.items()))


def explicit(bounds: tuple[float, ...], values: Iterable[float]) -> tuple[int, ...]:
    """Counts by linear search: a value belongs to the first bound that it does not pass."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[next((at for at, bound in enumerate(bounds) if value <= bound), len(bounds))] += 1
    return tuple(counts)
