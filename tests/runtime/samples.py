"""A small plan, a way to count events, and a clock that is moved by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from slo_otel import instrumentation
from slo_otel.plan import (
    SLO,
    CellKey,
    Form,
    Indicator,
    Kind,
    LatencyObjective,
    LatencyRule,
    Match,
    NameTerm,
    Occurrences,
    Outcome,
    Plan,
    RatioObjective,
    RatioRule,
    Selection,
)
from slo_otel.units import HOUR_NS, SECOND_NS, Rolling

_MATCH = Selection(Match((NameTerm("pay"),)))
_SUCCESS = Indicator("pay-success", Form.SUCCESS, _MATCH, RatioRule(Form.SUCCESS, None), "fp-success")
_LATENCY = Indicator(
    "pay-latency",
    Form.LATENCY,
    _MATCH,
    LatencyRule(None, None, 10 * SECOND_NS),
    "fp-latency",
    thresholds=(SECOND_NS // 4,),
)


def _slo(of: Indicator, objective: RatioObjective | LatencyObjective) -> SLO:
    return SLO(of.name, of.name, of, objective, Rolling(HOUR_NS), Occurrences(), 1, 1)


PLAN = Plan(
    service="shop",
    step_ns=SECOND_NS,
    slos=(
        _slo(_SUCCESS, RatioObjective(Fraction(99, 100))),
        _slo(_LATENCY, LatencyObjective(Fraction(95, 100), SECOND_NS // 4)),
    ),
)
OTHER = replace(PLAN, step_ns=15 * SECOND_NS)

GOOD = CellKey(Kind.OPERATION, names=("pay",), operation="pay")
BAD = GOOD._replace(outcome=Outcome.ERROR)


def record(times: int, key: CellKey = GOOD, duration: float = 0.125) -> None:
    """Record events as an adapter would; the duration is exact in binary."""
    active = instrumentation.active()
    assert active is not None
    cell = active.recorder.cell(key)
    for _ in range(times):
        cell.record(duration)


def took(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def until(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Poll a real event with a deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True
