"""What is no verdict: events by name, gauges, open things."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slo_otel.evaluation import Last, Named, Open, Opened, Sample
from slo_otel.ledger import MemoryLedger
from slo_otel.ledger._journal import Journal
from slo_otel.plan import Alert, AnyEvent, CellKey, Cmp, Events, Failures, Kind, Selection, Where
from slo_otel.recorder import GaugePoint, Mark
from slo_otel.units import HOUR_NS, MINUTE_NS
from tests.evaluation.samples import STEP, T0, Writer, plan_of, ratio_slo

PLAN = plan_of(ratio_slo("99%", per=("region",)), ratio_slo("99%", name="all"))
BY_REGION, ALL = (slo.measure for slo in PLAN.slos)
EU = (("region", "eu"),)


def test_names_that_conditions_ask_for_are_counted() -> None:
    """`events NAME` and `any NAME` by the SLO's `per` and `where`; other names keep no series."""
    slo, _ = PLAN.slos
    selection = Selection(slo.indicator.selection.match, Where((("tier", ("1",)),)))
    indicator = replace(slo.indicator, selection=selection)
    alerts = (
        Alert("page", AnyEvent("panic")),
        Alert("page", Events("drop", Cmp.GT, 1, HOUR_NS)),
        Alert("page", AnyEvent(None)),
        Alert("page", Failures(Cmp.GT, 1, HOUR_NS)),
    )
    plan = plan_of(replace(slo, indicator=indicator, alerts=alerts))
    ledger, writer = MemoryLedger(plan), Writer(plan)
    for name, tier, count in (("panic", "1", 2), ("panic", "2", 5), ("drop", "1", 7), ("other", "1", 9)):
        writer.add(CellKey(Kind.COUNT, (name,), attributes=(("region", "eu"), ("tier", tier))), count)
    ledger.append(writer.snapshot(T0 + STEP))
    panic, drop, other = (
        Named(name, ("region",), T0, T0 + STEP, where=(("tier", "1"),)) for name in ("panic", "drop", "other")
    )
    whole = Named("panic", (), T0, T0 + STEP)
    found = ledger.answer((panic, drop, other, whole)).named
    assert (found[panic], found[drop], found[other], found[whole]) == ({EU: 2}, {EU: 7}, {}, {(): 7})


def test_the_last_value_of_a_gauge_is_the_newest_that_is_fresh() -> None:
    """Newest over writers and attributes, no older than the horizon, found by the tick so no younger than it."""
    ledger, one, other = MemoryLedger(PLAN), Writer(PLAN), Writer(PLAN, "other")
    eu, us = (("queue", "a"), ("region", "eu")), (("queue", "a"), ("region", "us"))
    one.gauges = (GaugePoint("depth", eu, 5.0, T0 + 1), GaugePoint("depth", us, 6.0, T0 - HOUR_NS))
    other.gauges = (GaugePoint("depth", eu, 4.0, T0), GaugePoint("depth", us, 9.0, T0 + STEP + 2))
    ledger.append(one.snapshot(T0 + STEP))
    ledger.append(other.snapshot(T0 + STEP))
    by_region = Last("depth", ("region",), T0 + STEP, MINUTE_NS)
    newest = Last("depth", (), T0 + STEP, MINUTE_NS)
    filtered = Last("depth", (), T0 + STEP, MINUTE_NS, where=(("region", "eu"),))
    stale = Last("depth", (), T0 + HOUR_NS, MINUTE_NS)
    found = ledger.answer((by_region, newest, filtered, stale)).last
    assert found[by_region] == {EU: Sample(5.0, T0 + 1), (("region", "us"),): Sample(9.0, T0 + STEP)}
    assert found[newest] == {(): Sample(9.0, T0 + STEP)}
    assert found[filtered] == {(): Sample(5.0, T0 + 1)}
    assert found[stale] == {}


def mark(sequence: int, kind: str, key: str, at_ns: int = T0, name: str = "incident") -> Mark:
    """One line of a journal."""
    return Mark(sequence, kind, name, key, at_ns, None, (("severity", "P0" if key == "a" else "P1"),))


def test_open_is_what_was_begun_and_not_finished() -> None:
    """Marks count once though the journal repeats them; the oldest is told by group."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.journal = (mark(1, "begin", "a", T0), mark(2, "begin", "b", T0 + 1), mark(3, "begin", "c", T0 + 2))
    ledger.append(writer.snapshot(T0 + STEP))
    writer.journal = (
        *writer.journal,
        mark(4, "finish", "b"),
        mark(5, "finish", "never"),
        mark(6, "begin", "a", T0 + 9),
    )
    ledger.append(writer.snapshot(T0 + 2 * STEP))
    by_severity = Open("incident", ("severity",), T0 + STEP)
    urgent = Open("incident", (), T0 + STEP, where=(("severity", "P0"),))
    early = Open("incident", (), T0 + 1)
    found = ledger.answer((by_severity, urgent, early)).open
    assert found[by_severity] == {(("severity", "P0"),): Opened(1, T0), (("severity", "P1"),): Opened(1, T0 + 2)}
    assert found[urgent] == {(): Opened(1, T0)}
    assert found[early] == {(): Opened(1, T0)}


def test_what_another_process_finished_is_not_begun_again() -> None:
    """A worker's journal repeats its begin until it is trimmed; a sibling's finish in between stands."""
    ledger, one, other = MemoryLedger(PLAN), Writer(PLAN), Writer(PLAN, "other")
    one.journal, other.journal = (mark(1, "begin", "a"),), (mark(1, "finish", "a"),)
    ledger.append(one.snapshot(T0 + STEP))
    ledger.append(other.snapshot(T0 + STEP))
    ledger.append(one.snapshot(T0 + 2 * STEP))
    query = Open("incident", (), T0 + 2 * STEP)
    assert ledger.answer((query,)).open[query] == {}


def test_open_things_are_bounded_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is counted in the ledger's health, and what is open stays."""
    monkeypatch.setattr("slo_otel.ledger._journal.MOST_OPEN", 2)
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.journal = tuple(mark(number, "begin", key) for number, key in enumerate("abca"))
    ledger.append(writer.snapshot(T0 + STEP))
    query = Open("incident", (), T0 + STEP)
    assert ledger.answer((query,)).open[query] == {(): Opened(2, T0)}
    assert (ledger.health().ok, ledger.health().detail) == (False, "1 begun things did not fit")
    assert Journal().dropped == 0
