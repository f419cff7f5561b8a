"""An export loop of the sample plan, what it is given to send, and an exporter that does as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel.export import Exports, Lane, Outgoing, Own, Source, Translation
from tests.export.samples import BORN, LIMITS, PLAN, cell, request, snapshot
from tests.patience import in_time

SECOND = 1_000_000_000
SLACK = 0.2


def outgoing(good: int, at: int = 60) -> Outgoing:
    """So many good events, `at` seconds after the start."""
    taken = snapshot(cell(request(200), [0.1] * good), at=BORN + at * SECOND)
    return Outgoing(taken, None, Own(LIMITS, 0, 0))


def looping(lane: Lane, given: MetricExporter | None = None, interval_ns: int = SECOND) -> Exports:
    """A loop to the endpoint of the environment, or to a given exporter."""
    resource = Resource({"service.name": "shop", "service.instance.id": "one"})
    source = Source(given)
    return Exports(source, lane, Translation(PLAN, BORN, source.kinds), lambda: resource, interval_ns)


def took(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def fails_in_time(exports: Exports, sent: Outgoing, seconds: float) -> bool:
    """Whether flushes that cannot succeed say so by their deadline."""
    arrived: list[bool] = []
    return in_time(lambda: arrived.append(exports.flush(sent, seconds)), seconds + SLACK) and not any(arrived)


def until(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Poll a real event with a deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.005)
    return True


class GivenExporter(MetricExporter):
    """An exporter of the user's: it hangs, raises, refuses or accepts as told."""

    def __init__(self, behave: Callable[[], MetricExportResult]) -> None:
        super().__init__()
        self.behave = behave
        self.calls = 0
        self.closed = 0

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        """Count the call, and do as told."""
        self.calls += 1
        return self.behave()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is buffered."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Count it."""
        self.closed += 1
