"""The numbers of the issue: coverage of young and of sleeping services."""

from __future__ import annotations

from fractions import Fraction

import pytest

from slo_otel.evaluation import State
from slo_otel.ledger import MemoryLedger
from slo_otel.units import DAY_NS, HOUR_NS, MINUTE_NS, Rolling
from tests.evaluation.samples import T0, Writer, every, plan_of, ratio_slo, status


def test_six_bad_hours_of_a_young_service_are_a_sixth_of_the_budget() -> None:
    """6 h at 10 % errors, even traffic, 3.5 days old, 99.5 % over 30 d: 16.7 % consumed, and not 143 %."""
    plan = plan_of(ratio_slo("99.5%"), step_ns=MINUTE_NS)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    end = T0 + 7 * DAY_NS // 2
    for now in every(MINUTE_NS, T0, end):
        bad = 10 if T0 + DAY_NS < now <= T0 + DAY_NS + 6 * HOUR_NS else 0
        writer.good(100 - bad)
        writer.bad(bad)
        ledger.append(writer.snapshot(now))
    found = status(ledger, plan, end)
    assert found.budget is not None
    assert found.budget.consumed == pytest.approx(1 / 6, rel=1e-12)
    assert found.budget.remaining == pytest.approx(5 / 6, rel=1e-12)
    assert found.coverage == pytest.approx(3.5 / 30, rel=1e-12)
    assert found.state is State.OK
    assert found.warming_up
    assert found.notes == ("below objective, budget 17 % consumed",)
    assert found.sli is not None
    assert found.sli < 0.995


def test_a_service_that_sleeps_at_night_is_fully_observed() -> None:
    """8 h of traffic a day for 30 days is coverage 1: gaps are not subtracted, `b/n/e` is all that is consumed."""
    plan = plan_of(ratio_slo("99%"), step_ns=MINUTE_NS)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    end = T0 + 30 * DAY_NS
    for now in every(MINUTE_NS, T0, end):
        if (now - T0 - 1) % DAY_NS < 8 * HOUR_NS:
            writer.good(199)
            writer.bad(1)
        ledger.append(writer.snapshot(now))
    found = status(ledger, plan, end)
    assert found.coverage == 1.0
    assert not found.warming_up
    assert found.budget is not None
    assert found.budget.consumed == 0.5
    assert found.state is State.OK
    assert found.notes == ()


def test_events_are_weighed_and_not_ratios() -> None:
    """A bad night hour of little traffic costs what its events cost: an average of ratios says 4 % of the day."""
    plan = plan_of(ratio_slo("99%", Rolling(DAY_NS)))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    for hour, now in enumerate(every(HOUR_NS, T0, T0 + DAY_NS)):
        writer.good(0 if hour == 3 else 10_000)
        writer.bad(2 if hour == 3 else 0)
        ledger.append(writer.snapshot(now))
    found = status(ledger, plan, T0 + DAY_NS)
    assert found.sli == float(Fraction(230_000, 230_002))
    assert found.sli > 0.9999
    assert found.state is State.OK
