"""`count`, `gauge`, `begin`, `finish` and `budget`."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import pytest

from slo_otel import errors, evaluation
from slo_otel.evaluation import Scope, State, Status, StatusSet
from slo_otel.instrumentation import Budget, activate, begin, budget, count, finish, gauge
from slo_otel.plan import OVERFLOW, Kind, Outcome
from slo_otel.recorder import Tally
from tests.instrumentation.events_world import Verdicts, world

UTC = dt.UTC


def test_count_counts_n_successes_without_a_duration() -> None:
    """A domain outcome by its name, with declared attributes."""
    with world() as w:
        count("exchange.done", 3, tenant=2, colour="red")
        count("exchange.done", attrs={"tenant_id": 2})
        count("exchange.failed")
        (done, failed) = w.cells()
        assert (done.key.kind, done.key.outcome, done.key.attributes) == (
            Kind.COUNT,
            Outcome.SUCCESS,
            (("tenant", "2"),),
        )
        assert (done.count, failed.count, done.duration) == (4, 1, None)
        assert w.verdicts("exchange") == Verdicts(good=4, bad=1)


def test_count_zero_counts_nothing() -> None:
    """A loop may count what it found, also when that is nothing."""
    with world() as w:
        count("exchange.done", 0)
        assert w.total() == 0


def test_a_keyed_count_is_in_the_journal_and_its_key_in_no_series() -> None:
    """Distinct keys are for counting users; the series is one."""
    with world() as w:
        for user in (7, 8):
            count("exchange.done", key=user, tenant="a")
        assert w.only_count() == 2
        marks = w.snapshot().journal
        assert [(mark.kind, mark.name, mark.key) for mark in marks] == [
            ("count", "exchange.done", "7"),
            ("count", "exchange.done", "8"),
        ]
        assert dict(marks[0].attributes) == {"tenant": "a"}


def test_count_attributes_overflow_per_name() -> None:
    """The hundred-and-first tenant is `overflow`, and no count is lost."""
    with world() as w:
        for tenant in range(105):
            count("exchange.done", 2, tenant=tenant)
        values = {dict(cell.key.attributes)["tenant"]: cell.count for cell in w.cells()}
        assert values[OVERFLOW] == 10
        assert w.total() == 210


@pytest.mark.parametrize("n", [-1, 1.5, "many"])
def test_a_count_that_cannot_be_recorded_is_ignored_and_logged_once(
    n: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake at run time never raises, not even under SLO_OTEL_STRICT, since it is not ours."""
    wrong: Any = n
    with world() as w:
        count("exchange.done", wrong)
        count("exchange.done", wrong)
        assert w.total() == 0
    assert len(caplog.records) == 1
    assert list(errors.faults().values()) == [2]


@pytest.mark.parametrize("name", [None, 3, ["exchange.done"]])
def test_a_count_of_what_is_no_name_is_ignored(name: object) -> None:
    """It would be a series that nobody can write down."""
    wrong: Any = name
    with world() as w:
        count(wrong)
        assert w.total() == 0
    assert list(errors.faults().values()) == [1]


def test_gauge_keeps_the_last_value() -> None:
    """With its declared attributes and the region of the resource."""
    with world(resource={"cloud.region": "eu"}) as w:
        gauge("dlq.depth", 4, tenant="a", colour="red")
        gauge("dlq.depth", 6.5, attrs={"tenant_id": "a"})
        (point,) = w.snapshot().gauges
        assert (point.name, point.value) == ("dlq.depth", 6.5)
        assert dict(point.attributes) == {"tenant": "a", "region": "eu"}


def test_begin_and_finish_are_marks_with_their_times() -> None:
    """Now by the clock of the runtime, or when the caller says, to the microsecond."""
    started = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    with world() as w:
        begin("incident", key=1)
        finish("incident", key=1, at=started + dt.timedelta(seconds=1), started_at=started)
        begin("incident", key=2, at=12.5)
        marks = [(mark.kind, mark.key, mark.at_ns, mark.started_ns) for mark in w.snapshot().journal]
        start_ns = 1767323045_678901_000
        assert marks == [
            ("begin", "1", 100_000_000_000, None),
            ("finish", "1", start_ns + 1_000_000_000, start_ns),
            ("begin", "2", 12_500_000_000, None),
        ]


def test_a_time_without_a_zone_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """It would be read in the machine's zone, which is a guess."""
    with world() as w:
        begin("incident", key=1, at=dt.datetime(2026, 1, 2))  # noqa: DTZ001 - the mistake under test
        assert w.snapshot().journal == ()
    assert "begin" in caplog.text
    assert "time zone" in str(caplog.records[0].exc_info)


def status(remaining: float | None, group: tuple[tuple[str, str], ...] = ()) -> Status:
    """A status with a budget."""
    return Status(
        slo="ai",
        entry="ai",
        group=group,
        state=State.OK,
        warming_up=False,
        as_of_ns=1_000_000_000,
        window="30d",
        target="99%",
        objective="99%",
        tally=Tally(),
        sli=None,
        excluded_share=None,
        coverage=None,
        first_observed_ns=None,
        budget=evaluation.Budget(None, remaining, None, 0),
        burns=(),
    )


def test_budget_reads_the_last_evaluation_of_its_group() -> None:
    """Remaining, state, moment and scope; `below` compares strictly."""
    groups = [status(0.2, (("region", "eu"),)), status(0.9, (("region", "us"),))]
    with world() as w:
        w.statuses = StatusSet(1, Scope.HOST, "shop", tuple(groups))
        found = budget("ai", region="eu")
        assert found == Budget(0.2, State.OK, dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), Scope.HOST)
        assert found.below(0.25)
        assert not found.below(0.2)
        assert not budget("ai", region="us").below(0.25)
        assert budget("ai").remaining is None


def test_an_unknown_budget_is_never_below() -> None:
    """No runtime, no evaluation yet, no budget, no such group: code does not degrade on a guess."""
    activate(None)
    assert budget("ai") == Budget(None, State.NO_DATA, None, Scope.PROCESS)
    with world() as w:
        assert not budget("ai").below(1)
        w.statuses = StatusSet(1, Scope.PROCESS, "shop", (status(None),))
        assert not budget("ai").below(1)
        assert not budget("ai", region="mars").below(1)


def test_an_slo_that_the_policy_does_not_have_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """A typing mistake in code that degrades would otherwise never show."""
    with world(), caplog.at_level(logging.WARNING):
        budget("ia")
        budget("ia")
        budget("ai")
    assert ["'ia'" in record.getMessage() for record in caplog.records] == [True]


def test_without_a_runtime_nothing_is_recorded_and_nothing_raises() -> None:
    """Before `configure` and under SLO_OTEL_DISABLED, also with arguments that could not be recorded."""
    wrong: Any = "many"
    activate(None)
    count("exchange.done", wrong)
    gauge("dlq.depth", wrong)
    begin("incident", key=1, at=wrong)
    finish("incident", key=1)
    assert errors.faults() == {}
