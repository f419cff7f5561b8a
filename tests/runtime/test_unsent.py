"""A process that ends without having told everything says how much."""

from __future__ import annotations

import logging

import pytest

from slo_otel.receive import Answer, Receiver
from slo_otel.runtime._configure import start
from slo_otel.runtime._unsent import Unsent
from tests.runtime.samples import BAD, PLAN, record


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """A receiver that the environment points to; nothing is sent unless somebody flushes."""
    running = Receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.endpoint)
    return running


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "not sent" in record.getMessage()]


def test_a_shutdown_without_a_collector_says_how_many_events_it_loses(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """What arrived before is not among them: with what arrived they are all there were."""
    with receiver:
        handle = start(PLAN, resource={"service.instance.id": "till-1"})
        record(7)
        assert handle.flush()
        receiver.answer = Answer.REFUSE
        record(2)
        record(1, BAD)
        with caplog.at_level(logging.WARNING, "slo_otel"):
            assert not handle.shutdown(1)
    assert _said(caplog) == ["slo_otel: 3 events of instance till-1 were not sent"]


def test_a_shutdown_that_sends_everything_says_nothing(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was lost, so there is no line to look into."""
    with receiver:
        handle = start(PLAN)
        record(7)
        with caplog.at_level(logging.INFO, "slo_otel"):
            assert handle.shutdown(5)
    assert _said(caplog) == []


def test_hooks_that_fail_one_after_the_other_say_it_once(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """The server's hook may be the last one, so it speaks; the interpreter's after it repeats nothing."""
    with receiver:
        handle = start(PLAN)
        receiver.answer = Answer.REFUSE
        record(4)
        runtime = handle._runtime
        assert runtime is not None
        with caplog.at_level(logging.WARNING, "slo_otel"):
            assert not runtime.last_flush(1)
            assert not runtime.last_shutdown(1)
    assert len(_said(caplog)) == 1
    assert "4 events" in _said(caplog)[0]


def test_a_later_hook_that_succeeds_takes_it_back(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """A Collector may come back between two hooks of one end: who adds what was lost must not add what was not."""
    with receiver:
        handle = start(PLAN, resource={"service.instance.id": "till-1"})
        receiver.answer = Answer.REFUSE
        record(4)
        runtime = handle._runtime
        assert runtime is not None
        with caplog.at_level(logging.WARNING, "slo_otel"):
            assert not runtime.last_flush(1)
            receiver.answer = Answer.ACCEPT
            assert runtime.last_shutdown(1)
    assert [line for line in caplog.messages if "till-1" in line] == [
        "slo_otel: 4 events of instance till-1 were not sent",
        "slo_otel: the events of instance till-1 were sent after all",
    ]


def test_what_arrives_with_an_export_that_fails_later_on_is_taken_back(caplog: pytest.LogCaptureFixture) -> None:
    """Its requests with the counts were taken: the hook before had added them to what was lost."""
    unsent = Unsent("till-1")
    with caplog.at_level(logging.WARNING, "slo_otel"):
        for events in (0, 4, 0, 0):
            unsent.say(events)
    assert caplog.messages == [
        "slo_otel: 4 events of instance till-1 were not sent",
        "slo_otel: the events of instance till-1 were sent after all",
    ]


def test_one_event_is_one(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """A line that somebody reads at night says one event, not 1 events."""
    with receiver:
        handle = start(PLAN, resource={"service.instance.id": "till-1"})
        receiver.answer = Answer.REFUSE
        record(1)
        with caplog.at_level(logging.WARNING, "slo_otel"):
            assert not handle.shutdown(1)
    assert _said(caplog) == ["slo_otel: 1 event of instance till-1 was not sent"]
