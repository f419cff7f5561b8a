"""One checkpoint, whoever exports: flushes and periodic exports at once, exports that are given up, forks."""

from __future__ import annotations

import random
import threading
from functools import partial

import pytest
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel import names
from slo_otel.export import Exports, Lane, Outgoing, Source, ThreadLane, Translation, _exports, requests
from slo_otel.export._sender import Failure, Sender
from slo_otel.receive import Answer, Receiver
from tests.export.deltas import DELTAS, Collector, Traffic, agree
from tests.export.loops import SECOND, GivenExporter, until
from tests.export.samples import BORN, PLAN, request

KEYS = (request(200), request(500), request(500, attributes=(("region", "eu"),)))


def _looping(source: Source, lane: Lane) -> Exports:
    return Exports(source, lane, Translation(PLAN, BORN, DELTAS), lambda: Resource({}), SECOND)


class _Slow(GivenExporter):
    """Takes what it is given, but waits before it says so."""

    def __init__(self) -> None:
        super().__init__(lambda: MetricExportResult.SUCCESS)
        self.collector = Collector()
        self.entered = threading.Event()
        self.release = threading.Event()

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        """Wait to be released."""
        self.entered.set()
        self.release.wait(60)
        self.collector.take(metrics_data)
        return super().export(metrics_data)


def test_an_exporter_that_is_too_slow_for_us_still_counts() -> None:
    """Nobody waits for it any more, but it is one after the other: the next export begins where it ended."""
    traffic, exporter = Traffic(), _Slow()
    exports = _looping(Source(exporter), ThreadLane())
    traffic.record(KEYS[0], 0.1)
    assert until(lambda: not exports.flush(traffic.outgoing(), 0.05) and exporter.entered.is_set())
    traffic.record(KEYS[0], 0.1)
    assert not exports.flush(traffic.outgoing(), 0.05)
    exporter.release.set()
    traffic.record(KEYS[1], 0.1)
    assert exports.shutdown(traffic.outgoing(), 30.0)
    agree(exporter.collector, traffic, DELTAS)
    assert exporter.calls == 2


class _Faulty:
    """Takes a request, fails, or hangs until it is stopped; what it takes it says it took."""

    def __init__(self, source: _Faults) -> None:
        self._source = source
        self._stopped = threading.Event()

    def send(self, data: MetricsData, deadline: float, *, patient: bool) -> Failure | None:
        """Do what the dice say."""
        fate = self._source.dice.random()
        if fate < 0.03:
            self._stopped.wait(5)
        if fate < 0.2 or self._stopped.is_set():
            return Failure("503", "away")
        self._source.collector.take(data)
        return None

    def stop(self) -> None:
        """End a wait."""
        self._stopped.set()

    def close(self) -> None:
        """Nothing is open."""


class _Faults(Source):
    """Senders that fail in every way that leaves no doubt whether a request arrived."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.dice = random.Random(seed)
        self.collector = Collector()
        self.patience = 0.5

    def make(self) -> Sender:
        return _Faulty(self)


@pytest.mark.parametrize("seed", range(3))
def test_flushes_and_periodic_exports_share_one_checkpoint(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four threads flush while a fifth polls and events go on: in the end every event arrived, and once."""
    monkeypatch.setattr(_exports, "requests", partial(requests, limit=8))
    traffic, source, lock = Traffic(), _Faults(seed), threading.Lock()
    exports = _looping(source, ThreadLane())
    polling = threading.Event()

    def taken() -> Outgoing:
        with lock:
            traffic.record(random.Random(traffic.seconds).choice(KEYS), 0.1)
            return traffic.outgoing(1)

    def flushes() -> None:
        for _ in range(8):
            exports.flush(taken(), 0.8)

    def polls() -> None:
        at = 0
        while not polling.wait(0.002):
            at += 1
            exports.offer(taken())
            exports.poll(at * SECOND)

    threads = [threading.Thread(target=flushes) for _ in range(4)]
    poller = threading.Thread(target=polls)
    for thread in (*threads, poller):
        thread.start()
    for thread in threads:
        thread.join()
    polling.set()
    poller.join()
    assert until(lambda: exports.flush(traffic.outgoing(1), 1.0), 60.0)
    agree(source.collector, traffic, DELTAS)
    exports.shutdown(traffic.outgoing(1), 1.0)


class _Held(Source):
    """Makes a first sender only when told to, and then one that is stopped within its first request."""

    def __init__(self) -> None:
        super().__init__()
        self.patience = 0.1
        self.collector = Collector()
        self.making: list[threading.Thread] = []
        self.go_on = threading.Event()
        self.sending = threading.Event()
        self.answer = threading.Event()

    def make(self) -> Sender:
        if not self.making:
            self.making.append(threading.current_thread())
            self.go_on.wait(60)
        return _Answering(self)


class _Answering:
    def __init__(self, source: _Held) -> None:
        self._source = source

    def send(self, data: MetricsData, deadline: float, *, patient: bool) -> Failure | None:
        """Take it, and answer when told to."""
        self._source.collector.take(data)
        self._source.sending.set()
        self._source.answer.wait(60)
        return None

    def stop(self) -> None:
        """It cannot be."""

    def close(self) -> None:
        """Nothing is open."""


def test_an_export_that_was_given_up_does_not_disturb_the_next_one() -> None:
    """It goes on just when the next one waits for its answer: what that carries is taken, once."""
    traffic, source = Traffic(), _Held()
    exports = _looping(source, ThreadLane())
    traffic.record(KEYS[0], 0.1)
    assert until(lambda: not exports.flush(traffic.outgoing(), 0.05) and bool(source.making))
    traffic.record(KEYS[1], 0.1)
    sent: list[bool] = []
    flush = threading.Thread(target=lambda: sent.append(exports.flush(traffic.outgoing(), 60.0)))
    flush.start()
    assert source.sending.wait(30)
    source.go_on.set()
    source.making[0].join(30)
    source.answer.set()
    flush.join(60)
    assert sent == [True]
    assert exports.shutdown(traffic.outgoing(), 30.0)
    agree(source.collector, traffic, DELTAS)


def test_over_http_an_outage_neither_loses_nor_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, unavailable, then back: the receiver, which adds deltas up, has what happened, buckets included."""
    traffic = Traffic()
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        exports = _looping(Source(), ThreadLane())
        for answer in (Answer.ACCEPT, Answer.REFUSE, Answer.UNAVAILABLE, Answer.ACCEPT, Answer.ACCEPT):
            receiver.answer = answer
            traffic.record(KEYS[0], 0.1)
            assert exports.flush(traffic.outgoing(), 30.0) is (answer is Answer.ACCEPT)
        assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 5
        (durations,) = receiver.find(names.DURATION, slo_verdict="valid")
        assert durations.distribution is not None
        assert (durations.value, sum(durations.distribution.counts)) == (5, 5)
        assert exports.shutdown(traffic.outgoing(), 30.0)
