"""Gauges say what was promised and evaluated, each with its scope, and nothing that is not known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from opentelemetry.sdk.metrics.export import Metric, NumberDataPoint

from slo_otel import names
from slo_otel.evaluation import Budget, Burn, Scope, State, Status, StatusSet
from slo_otel.export._gauges import evaluated, promised
from slo_otel.recorder import Tally
from slo_otel.units import HOUR_NS, MINUTE_NS, SECOND_NS
from tests.export.samples import PLAN, numbers

AT = 2_000 * SECOND_NS
STATUS = Status(
    slo="by-region",
    entry="by-region",
    group=(("region", "eu"),),
    state=State.OK,
    warming_up=True,
    as_of_ns=AT,
    window="30d",
    target="99%",
    objective="99%",
    tally=Tally(99, 1, 5),
    sli=0.99,
    excluded_share=5 / 105,
    coverage=0.5,
    first_observed_ns=1_500 * SECOND_NS,
    budget=Budget(consumed=0.5, remaining=0.5, limit=1.0, spent=1),
    burns=(
        Burn(5 * MINUTE_NS, 1.0, 0.99, 100, State.OK),
        Burn(HOUR_NS, None, None, 0, State.NO_DATA),
    ),
)
TOLD = {"slo.name": "by-region", "cloud.region": "eu", "slo.scope": "process"}


def _said(status: Status) -> dict[str, Metric]:
    return {metric.name: metric for metric in evaluated(StatusSet(AT, Scope.PROCESS, "shop", (status,)))}


def _of(told: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(told.items()))


def test_every_number_of_a_status_is_a_gauge_with_group_and_scope() -> None:
    """Names, units, attributes and values are those of the table in the reference."""
    said = _said(STATUS)
    whole = set(said) - {names.SLI_RATIO, names.BURN_RATE}
    assert {name: (said[name].unit, numbers(said[name])[_of(TOLD)]) for name in whole} == {
        names.COVERAGE: ("1", 0.5),
        names.FIRST_OBSERVED: ("s", 1_500.0),
        names.BUDGET_REMAINING: ("1", 0.5),
        names.BUDGET_CONSUMED: ("1", 0.5),
        names.BUDGET_LIMIT: ("{event}", 1.0),
        names.BUDGET_USAGE: ("{event}", 1),
    }


def test_sli_and_burn_are_told_per_window() -> None:
    """Every look-back that has data, and for the SLI the compliance window."""
    said = _said(STATUS)
    assert numbers(said[names.SLI_RATIO]) == {
        _of(TOLD | {"slo.window": "5m"}): 0.99,
        _of(TOLD | {"slo.window": "30d"}): 0.99,
    }
    assert numbers(said[names.BURN_RATE]) == {_of(TOLD | {"slo.window": "5m"}): 1.0}
    assert said[names.BURN_RATE].unit == "{budget}"


def test_a_window_is_told_once() -> None:
    """A look-back as long as the compliance window does not make two points with the same attributes."""
    said = _said(replace(STATUS, window="5m", sli=0.98))
    assert numbers(said[names.SLI_RATIO]) == {_of(TOLD | {"slo.window": "5m"}): 0.98}
    assert len(said[names.SLI_RATIO].data.data_points) == 1


@pytest.mark.parametrize("number", [None, math.inf, -math.inf, math.nan])
def test_what_is_unknown_or_infinite_is_left_out(number: float | None) -> None:
    """No NaN, no infinity, no zero in place of an unknown."""
    unknown = replace(
        STATUS,
        sli=number,
        coverage=number,
        first_observed_ns=None,
        budget=Budget(number, number, number, 3),
        burns=(Burn(MINUTE_NS, number, number, 0, State.NO_DATA),),
    )
    assert set(_said(unknown)) == {names.BUDGET_USAGE}


def test_points_carry_the_tick_of_the_evaluation() -> None:
    """The time of an evaluated gauge is the evaluation's `now`, whenever it is sent."""
    points = [point for metric in _said(STATUS).values() for point in metric.data.data_points]
    assert {point.time_unix_nano for point in points if isinstance(point, NumberDataPoint)} == {AT}


def test_promises_are_told_exactly_and_once_per_slo() -> None:
    """Objective ratios and thresholds come from exact numbers; what has no budget has none."""
    said = {metric.name: metric for metric in promised(PLAN, AT)}
    ratios = numbers(said[names.OBJECTIVE_RATIO])
    assert ratios[_of({"slo.name": "success"})] == 0.999
    assert (("slo.name", "seen"),) not in ratios
    assert numbers(said[names.OBJECTIVE_THRESHOLD]) == {
        _of({"slo.name": "speed-p95"}): 0.2,
        _of({"slo.name": "speed-p99"}): 0.4,
    }
    windows = numbers(said[names.OBJECTIVE_WINDOW])
    assert windows[_of({"slo.name": "success", "slo.window.type": "rolling"})] == 2_592_000.0
    assert windows[_of({"slo.name": "by-region", "slo.window.type": "calendar"})] == 2_592_000.0


def test_info_carries_what_the_policy_says() -> None:
    """Owner, tier, runbook and labels travel on `slo.info`, so that no counter has to carry them."""
    told = replace(PLAN.slos[0], owner="payments", tier="1", runbook="https://r", labels=(("team", "a"),))
    plan = replace(PLAN, slos=(told,), labels=(("team", "b"), ("env", "x")))
    (info,) = [metric for metric in promised(plan, AT) if metric.name == names.INFO]
    assert info.unit == ""
    assert numbers(info) == {
        _of({"slo.name": "success", "slo.entry": "success", "slo.owner": "payments", "slo.tier": "1",
             "slo.runbook": "https://r", "team": "a", "env": "x"}): 1
    }  # fmt: skip
