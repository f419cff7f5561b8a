"""The running thread, real sockets: requests never wait, nothing is lost."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from slo_otel import instrumentation, names
from slo_otel.receive import Answer, Receiver
from slo_otel.runtime import Handle
from slo_otel.runtime._configure import start
from tests.patience import TRIES, reserved
from tests.runtime.samples import BAD, GOOD, OTHER, PLAN, record, took, until

SLACK = 0.2


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that the environment points to, with a short interval."""
    with Receiver() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.endpoint)
        monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
        yield running


def _good(receiver: Receiver) -> int:
    return receiver.counter(names.EVENTS, slo_name="pay-success", slo_verdict="good")


def _threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("slo-otel"))


def test_counts_arrive_by_themselves(receiver: Receiver) -> None:
    """Nobody calls flush: the thread ticks, evaluates and exports."""
    handle = start(PLAN)
    record(7)
    record(2, BAD)
    assert until(lambda: _good(receiver) == 7)
    assert until(lambda: receiver.find(names.SLI_RATIO, slo_name="pay-success", slo_window="1h") != ())
    for point in receiver.points():
        evaluated = point.name in (names.SLI_RATIO, names.BURN_RATE, names.COVERAGE, names.BUDGET_REMAINING)
        assert (point.attribute("slo.scope") == "process") is (
            evaluated or point.attribute("slo.scope") is not None
        )
    assert handle.shutdown()
    assert until(lambda: _threads() == [])


def test_a_collector_that_comes_later_gets_every_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is away at the start; meanwhile recording takes no time, and later nothing is missing."""
    with reserved() as port:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
        handle = start(PLAN)
        assert took(lambda: record(2_000)) < 5.0
        assert not handle.flush(0.2)
        with Receiver(port) as receiver:
            record(5)
            assert until(lambda: handle.flush(2) and _good(receiver) == 2_005)
            assert handle.shutdown()


@pytest.mark.parametrize("answer", [Answer.UNAVAILABLE, Answer.REFUSE, Answer.HANG])
def test_flush_and_shutdown_keep_their_deadlines_when_the_collector_fails(
    receiver: Receiver, answer: Answer
) -> None:
    """A 503, a 400 or silence costs at most the timeout and 0.2 s, and is reported."""
    receiver.answer = answer

    def keeps_both() -> bool:
        handle = start(PLAN)
        record(1)
        outcomes: list[bool] = []
        flush = took(lambda: outcomes.append(handle.flush(0.4)))
        shutdown = took(lambda: outcomes.append(handle.shutdown(0.4)))
        assert outcomes == [False, False]
        return max(flush, shutdown) < 0.4 + SLACK

    assert any(keeps_both() for _ in range(TRIES))


def test_a_hanging_collector_does_not_stop_the_ticks(receiver: Receiver) -> None:
    """Evaluation goes on while an export waits for an answer."""
    receiver.answer = Answer.HANG
    handle = start(PLAN)
    record(3)
    assert receiver.wait(1, 30)
    seen = handle.status().at_ns
    record(4)

    def evaluated() -> bool:
        found = handle.status().find("pay-success")
        return found is not None and found.tally.good == 7 and handle.status().at_ns > seen

    assert until(evaluated)
    handle.shutdown(0.1)


def test_eight_threads_lose_no_event_and_no_sum(receiver: Receiver) -> None:
    """While ticks, exports and flushes take snapshots, every event and every representable second is kept."""
    handle = start(PLAN)
    each = 4_000
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=record, args=(each, key)) for key in (GOOD, BAD) * 4]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            handle.flush(5)
    finally:
        sys.setswitchinterval(before)
        for thread in threads:
            thread.join()
    assert handle.shutdown()
    assert _good(receiver) == 4 * each
    assert receiver.counter(names.EVENTS, slo_name="pay-success", slo_verdict="bad") == 4 * each
    (point,) = receiver.find(names.DURATION, slo_name="pay-latency", slo_verdict="valid")
    assert point.distribution is not None
    assert (point.value, point.distribution.sum) == (8 * each, 8 * each * 0.125)


def test_flushes_from_several_threads_all_arrive(receiver: Receiver) -> None:
    """A lifespan, an exit hook and a user may flush together."""
    handle = start(PLAN)
    record(3)
    outcomes: list[bool] = []
    threads = [threading.Thread(target=lambda: outcomes.append(handle.flush(30))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 6
    assert _good(receiver) == 3


def test_no_exporter_means_no_request_and_a_happy_flush(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTEL_METRICS_EXPORTER=none measures and evaluates, and sends nothing."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    handle = start(PLAN)
    record(3)
    assert until(lambda: _tally(handle) == 3)
    assert handle.flush()
    assert handle.shutdown()
    assert receiver.requests == 0


def test_a_flush_works_while_the_last_one_hangs_no_more(receiver: Receiver) -> None:
    """After a hang the exporter is replaced, and the next flush needs no restart."""
    handle = start(PLAN)
    receiver.answer = Answer.HANG
    record(1)
    assert not handle.flush(0.3)
    receiver.answer = Answer.ACCEPT
    assert handle.flush(30)
    assert _good(receiver) == 1
    assert handle.shutdown()


def test_shutdown_is_prompt_between_ticks() -> None:
    """The thread does not sleep through a stop, whatever the step."""
    handle = start(OTHER)
    active = instrumentation.active()
    assert active is not None
    assert took(handle.shutdown) < 10.0
    assert until(lambda: "slo-otel" not in _threads(), 4.0)  # a step is 15 s


def _tally(handle: Handle) -> int:
    found = handle.status().find("pay-success")
    return 0 if found is None else found.tally.good
