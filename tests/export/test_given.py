"""An exporter that the user gave: foreign code, which is used as it is, waited for, and told once about."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from slo_otel import names
from slo_otel.export import InlineLane, Outgoing, Own, ThreadLane
from slo_otel.receive import Receiver
from tests.export.loops import SECOND, GivenExporter, fails_in_time, looping, outgoing, until
from tests.export.samples import BORN, LIMITS
from tests.patience import reserved


def test_a_given_exporter_that_raises_or_refuses_is_a_failed_export(caplog: pytest.LogCaptureFixture) -> None:
    """Foreign code is not a fault of ours: it is told once and the loop goes on."""

    def fail() -> MetricExportResult:
        raise KeyError("theirs")

    given = GivenExporter(fail)
    exports = looping(InlineLane(), given)
    assert not exports.flush(outgoing(1), 30.0)
    given.behave = lambda: MetricExportResult.FAILURE
    assert not exports.flush(outgoing(1), 30.0)
    given.behave = lambda: MetricExportResult.SUCCESS
    assert exports.shutdown(outgoing(1), 30.0)
    assert (given.calls, given.closed) == (3, 1)
    assert "GivenExporter ('theirs')" in caplog.text
    errors = {error for error, _, _ in exports.times().by_error}
    assert errors == {None, "KeyError", "rejected"}


def test_a_given_exporter_that_hangs_is_waited_for_but_not_by_us() -> None:
    """It cannot be replaced, so its thread is kept; deadlines hold, and it is used again when it comes back."""
    release = threading.Event()

    def hang() -> MetricExportResult:
        release.wait(100)
        return MetricExportResult.SUCCESS

    given = GivenExporter(hang)
    exports = looping(ThreadLane(), given)
    assert until(lambda: not exports.flush(outgoing(1), 0.1) and given.calls > 0)
    assert fails_in_time(exports, outgoing(1), 0.2)
    assert given.calls == 1
    release.set()
    assert exports.flush(outgoing(1), 30.0)
    assert given.calls == 2
    assert exports.shutdown(outgoing(1), 30.0)


def test_a_given_otlp_exporter_survives_a_collector_that_is_away() -> None:
    """It is the user's: a flush that gives up does not shut it down, and it delivers when the Collector is back."""
    with reserved() as port:
        _survives(port)


def _survives(port: int) -> None:
    given = OTLPMetricExporter(f"http://127.0.0.1:{port}/v1/metrics", timeout=2)
    exports = looping(ThreadLane(), given)
    assert not exports.flush(outgoing(1), 20.0)
    with Receiver(port) as receiver:
        assert exports.flush(outgoing(2), 30.0)
        assert receiver.counter(names.EVENTS, slo_name="success", slo_verdict="good") == 2
        assert exports.shutdown(outgoing(2), 30.0)


def test_only_what_an_exporter_logs_for_us_is_kept_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Its line is told in one of ours, without the retry that may not come; others keep theirs."""
    sdk = logging.getLogger("opentelemetry.exporter.otlp.proto.http.metric_exporter")

    def complain() -> MetricExportResult:
        sdk.warning("Transient error %s encountered while exporting metrics batch, retrying in 1s.", "Gone")
        return MetricExportResult.FAILURE

    exports = looping(InlineLane(), GivenExporter(complain))
    assert not exports.flush(outgoing(1), 30.0)
    sdk.warning("the service's own")
    told, own = [record.getMessage() for record in caplog.records]
    assert told.startswith("slo_otel: no export to GivenExporter (Gone); ")
    assert own == "the service's own"


def test_what_is_sent_never_goes_back() -> None:
    """A flush that was overtaken by a newer snapshot sends the newer one: no total falls."""
    sent: list[int] = []
    given = _Recording(sent)
    exports = looping(InlineLane(), given)
    newer = replace(outgoing(5, 70).snapshot, taken_mono_ns=2)
    older = replace(outgoing(1, 60).snapshot, taken_mono_ns=1)
    exports.offer(Outgoing(newer, None, Own(LIMITS, 0, 0)))
    assert exports.flush(Outgoing(older, None, Own(LIMITS, 0, 0)), 30.0)
    assert sent == [BORN + 70 * SECOND]


class _Recording(GivenExporter):
    """Notes the time of the first point of each export."""

    def __init__(self, sent: list[int]) -> None:
        super().__init__(lambda: MetricExportResult.SUCCESS)
        self._sent = sent

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        metrics = metrics_data.resource_metrics[0].scope_metrics[0].metrics
        self._sent.append(metrics[0].data.data_points[0].time_unix_nano)
        return super().export(metrics_data, timeout_millis, **kwargs)
