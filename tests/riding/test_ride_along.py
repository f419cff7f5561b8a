"""Our metrics in the exports of a reader that the service has: once, beside its own, and never in their way."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    Sum,
)
from opentelemetry.sdk.resources import Resource

import slo_otel
from slo_otel.errors import ConfigurationError
from slo_otel.export import RideAlongExporter, Translation, _rides, requests, riders
from slo_otel.receive import Answer, Receiver
from slo_otel.runtime import Handle
from slo_otel.runtime._configure import start
from slo_otel.testing import InMemoryExporter, ManualClock, advance
from tests.riding.world import RESOURCE, scopes, service
from tests.runtime.samples import BAD, PLAN, record, took


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """What the service's exporter sends to."""
    with Receiver() as found:
        yield found


def otlp(receiver: Receiver) -> OTLPMetricExporter:
    """The SDK's own exporter."""
    return OTLPMetricExporter(endpoint=f"{receiver.endpoint}/v1/metrics", timeout=5)


def begin(clock: ManualClock | None = None) -> Handle:
    """Configure, driven by hand."""
    return start(PLAN, clock=clock or ManualClock())


def test_both_arrive_once_in_one_request(receiver: Receiver) -> None:
    """The service's counter and our counts, of one resource; nothing of the heartbeat."""
    with service(otlp(receiver)) as there:
        handle = begin()
        there.orders.add(2)
        record(3)
        record(1, BAD)
        there.provider.force_flush()
        assert receiver.requests == 1
        assert receiver.counter("orders") == 2
        assert receiver.counter("slo.events", slo_name="pay-success", slo_verdict="good") == 3
        assert receiver.counter("slo.events", slo_name="pay-success", slo_verdict="bad") == 1
        assert {point.instance for point in receiver.points()} == {"one"}
        assert scopes(receiver) == {"shop.orders", "slo_otel"}
        assert handle.shutdown()


def test_a_service_without_metrics_of_its_own_exports_ours(receiver: Receiver) -> None:
    """A reader without a point calls no exporter: the heartbeat is one, and stays in the process."""
    with service(otlp(receiver), counting=False) as there:
        begin()
        record(1)
        there.provider.force_flush()
        assert receiver.counter("slo.events", slo_name="pay-success", slo_verdict="good") == 1
        assert scopes(receiver) == {"slo_otel"}


def test_the_readers_own_interval_takes_ours_along(receiver: Receiver) -> None:
    """Nobody flushes: the reader exports, with the newest tick."""
    with service(otlp(receiver), interval=20):
        clock = ManualClock()
        handle = begin(clock)
        record(5)
        advance(handle, clock, 1)
        assert receiver.wait(2, 30)
        assert receiver.counter("slo.events", slo_name="pay-success", slo_verdict="good") == 5


def test_flush_and_shutdown_go_through_the_reader(receiver: Receiver) -> None:
    """They say whether it arrived, and nothing goes along after a shutdown."""
    with service(otlp(receiver)) as there:
        handle = begin()
        record(1)
        assert handle.flush()
        assert receiver.counter("slo.events", slo_name="pay-success", slo_verdict="good") == 1
        receiver.answer = Answer.REFUSE
        record(1)
        assert not handle.flush()
        receiver.answer = Answer.ACCEPT
        assert handle.shutdown()
        assert receiver.counter("slo.events", slo_name="pay-success", slo_verdict="good") == 2
        seen = receiver.requests
        there.provider.force_flush()
        assert receiver.requests == seen  # neither counter nor heartbeat: nothing to export


def test_our_own_loop_sends_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an endpoint in the environment as well, each count arrives through the reader alone."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
    with service(otlp(receiver)):
        handle = start(PLAN)
        record(1)
        assert handle.flush()
        assert not receiver.wait(2, timeout=0.5)
        assert handle.shutdown()


class Hanging(InMemoryExporter):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 1e4, **kwargs: object
    ) -> MetricExportResult:
        """Wait."""
        self.go.wait(60)
        return super().export(metrics_data)


def test_a_reader_that_hangs_is_waited_for_as_long_as_asked() -> None:
    """The SDK's flush keeps no deadline; ours does, and the next one is tried again."""
    exporter = Hanging()
    with service(exporter):
        handle = start(PLAN)
        record(1)
        assert took(lambda: handle.flush(0.2)) < 3
        assert not handle.flush(0.2)
        exporter.go.set()
        assert handle.flush(30)
        assert handle.shutdown(30)


class Preferring(InMemoryExporter):
    """Prefers delta, as some backends must have it."""

    def __init__(self) -> None:
        MetricExporter.__init__(
            self, {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
        )
        self.exports = []
        self.fails = False


def deltas(exporter: InMemoryExporter) -> list[int | float]:
    """The good events of each export."""
    found: list[int | float] = []
    for data in exporter.exports:
        for metric in (
            metric for of in data.resource_metrics for scope in of.scope_metrics for metric in scope.metrics
        ):
            if metric.name == "slo.events" and isinstance(metric.data, Sum):
                assert metric.data.aggregation_temporality is AggregationTemporality.DELTA
                found += [
                    point.value
                    for point in metric.data.data_points
                    if point.attributes == {"slo.name": "pay-success", "slo.verdict": "good"}
                ]
    return found


def test_the_wrapped_exporters_preference_is_ours() -> None:
    """Delta where it wants delta: what it refused comes with the next one, what it took does not come again."""
    exporter = Preferring()
    with service(exporter):
        handle = begin()
        record(3)
        assert handle.flush()
        record(2)
        exporter.fails = True
        assert not handle.flush()
        exporter.fails = False
        record(1)
        assert handle.flush()
        assert deltas(exporter) == [3, 3]


def test_two_readers_each_get_everything(receiver: Receiver) -> None:
    """One cumulative, one delta: what the first took is not missing at the second."""
    second = Preferring()
    with service(otlp(receiver)), service(second):
        handle = begin()
        record(2)
        assert handle.flush()
        record(1)
        assert handle.flush()
        assert receiver.counter("slo.events", slo_name="pay-success", slo_verdict="good") == 3
        assert deltas(second) == [2, 1]


def sized(exporter: InMemoryExporter) -> list[int]:
    """How many points of ours each request has."""
    return [
        sum(
            len(metric.data.data_points)
            for of in data.resource_metrics
            for scope in of.scope_metrics
            for metric in scope.metrics
            if scope.scope.name == "slo_otel"
        )
        for data in exporter.exports
    ]


def test_more_than_a_request_may_hold_follows_in_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the reader's resource, the service's own metrics in the first."""
    monkeypatch.setattr(_rides, "requests", partial(requests, limit=4))
    exporter = InMemoryExporter()
    with service(exporter) as there:
        handle = begin()
        there.orders.add(1)
        record(1)
        assert handle.flush()
        found = list(exporter.exports)
    assert len(found) > 2
    assert max(sized(exporter)) == 4
    assert {of.resource for data in found for of in data.resource_metrics} == {RESOURCE}
    first, *others = [[scope.scope.name for scope in data.resource_metrics[0].scope_metrics] for data in found]
    assert first == ["shop.orders", "slo_otel"]
    assert others == [["slo_otel"]] * len(others)


class FailingAt(Preferring):
    """Refuses one request."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 1e4, **kwargs: object
    ) -> MetricExportResult:
        """Count down to it."""
        self.number -= 1
        return MetricExportResult.FAILURE if self.number == 0 else super().export(metrics_data)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_request_that_fails_among_others_loses_and_doubles_nothing(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With delta temporality the checkpoint has what arrived, and no more."""
    monkeypatch.setattr(_rides, "requests", partial(requests, limit=2))
    exporter = FailingAt(number)
    with service(exporter):
        handle = begin()
        record(3)
        assert not handle.flush()
        record(2)
        assert handle.flush()
    assert sum(deltas(exporter)) == 5


@pytest.mark.parametrize(("failing", "lost"), [(1, 3), (3, 3), (4, 0), (9, 0)])
def test_what_arrived_of_an_export_that_failed_is_not_called_lost(
    failing: int, lost: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """To the request: the first three have every point that counts one, of both service levels."""
    monkeypatch.setattr(_rides, "requests", partial(requests, limit=1))
    with service(FailingAt(failing)):
        handle = begin()
        record(2)
        record(1, BAD)
        assert not handle.shutdown()
    said = [each for each in caplog.messages if "not sent" in each]
    assert [int(each.split()[1]) for each in said] == [lost] * bool(lost)


def test_another_service_name_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Rules are made for the service of the policy; what the reader calls it decides."""
    with service(InMemoryExporter(), resource=Resource({"service.name": "store"})):
        handle = begin()
        assert handle.flush()
        assert handle.flush()
    [said] = [record.getMessage() for record in caplog.records]
    assert "service.name=store" in said
    assert "service: shop" in said


def test_one_that_is_made_after_configure_says_so_and_is_the_wrapped_one(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Our own loop may have sent already: the same counts in a second stream would be added up."""
    ours = InMemoryExporter()
    handle = start(PLAN, clock=ManualClock(), exporter=ours)
    with service(otlp(receiver)) as there:
        there.orders.add(1)
        record(1)
        assert handle.flush()
        there.provider.force_flush()
        assert scopes(receiver) == {"shop.orders"}
        assert ours.value("slo.events", slo_name="pay-success", slo_verdict="good") == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_an_exporter_in_code_is_what_is_sent_to(receiver: Receiver) -> None:
    """`configure(exporter=...)` says where ours go; the reader keeps to the service's own."""
    ours = InMemoryExporter()
    with service(otlp(receiver)) as there:
        there.orders.add(1)
        handle = start(PLAN, clock=ManualClock(), exporter=ours)
        assert handle.flush()
        there.provider.force_flush()
        assert ours.exports
        assert scopes(receiver) == {"shop.orders"}


def test_before_configure_it_is_the_wrapped_exporter() -> None:
    """Export, flush and shutdown are its own, with what they are given and what they answer."""
    exporter = InMemoryExporter()
    with service(exporter) as there:
        there.provider.force_flush()
        assert exporter.exports == []
        there.orders.add(1)
        there.provider.force_flush()
        assert len(exporter.exports) == 1
        exporter.fails = True
        assert there.rider.export(exporter.exports[0]) is MetricExportResult.FAILURE
    assert riders() == ()


def test_a_fault_of_ours_costs_only_our_metrics(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The service's own arrive as if we were not there."""
    monkeypatch.delenv("SLO_OTEL_STRICT")
    with service(otlp(receiver)) as there:
        begin()
        there.orders.add(1)
        with monkeypatch.context() as patched:
            patched.setattr(Translation, "metrics", lambda *_: 1 / 0)
            there.provider.force_flush()
        assert scopes(receiver) == {"shop.orders"}
        assert "a fault of ours in the ride along" in caplog.text
        there.provider.force_flush()
        assert scopes(receiver) == {"shop.orders", "slo_otel"}


def test_a_runtime_that_comes_after_another_is_taken_along_too(receiver: Receiver) -> None:
    """The heartbeat is registered once, which the SDK would warn about."""
    with service(otlp(receiver)) as there:
        for _ in range(2):
            handle = begin()
            record(1)
            assert handle.shutdown()
        assert receiver.requests == 2
        assert there.provider.force_flush()


def test_a_disabled_sdk_takes_nothing_along(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """`OTEL_SDK_DISABLED=true`: its provider does nothing, and ours does not send instead."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with service(otlp(receiver)) as there:
        handle = begin()
        record(1)
        assert handle.flush()
        there.provider.force_flush()
        assert handle.shutdown()
    assert receiver.requests == 0


@pytest.mark.parametrize("given", [None, "otlp", object])
def test_what_is_no_exporter_is_refused_with_a_fix(given: object) -> None:
    """At set-up, where somebody can read it."""
    with pytest.raises(ConfigurationError, match=r"RideAlongExporter\(OTLPMetricExporter\(\)\)"):
        RideAlongExporter(given)  # type: ignore[arg-type]  # what is tested
    gc.collect()
    assert riders() == ()


def test_around_another_of_ours_is_refused() -> None:
    """Both would take the same along."""
    inner = RideAlongExporter(InMemoryExporter())
    with pytest.raises(ConfigurationError):
        RideAlongExporter(inner)
    inner.shutdown()


def test_it_is_public() -> None:
    """Loaded when somebody asks for it."""
    assert slo_otel.RideAlongExporter is RideAlongExporter
