"""slo_otel around the process of a suite, as a service has it, and what it counted.

The runtime is a real one: a policy, its thread, the memory ledger, and an exporter that keeps the newest counts.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from upstream_door import Door

import slo_otel
from slo_otel.errors import faults
from slo_otel.instrumentation import active
from slo_otel.testing import InMemoryExporter

EVERYTHING: Final = "everything"
"""The service level of policy.yaml that counts every request and connection."""
Counts: TypeAlias = tuple[int, int, int]
"""Requests sent, those that reached our middleware, events recorded."""
_EXPORT_SECONDS: Final = 30.0
_LATE_SECONDS: Final = 2.0
"""A server in another thread has sent its answer a little earlier than its request is closed."""


class Sink(InMemoryExporter):
    """What an OTLP receiver would have of `slo.events` now."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[frozenset[tuple[str, str]], int | float] = {}

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        """Keep the newest total of each series, not the request."""
        self.exports = [metrics_data]
        self.events |= self.values("slo.events")
        self.exports.clear()
        return MetricExportResult.SUCCESS

    def total(self, slo: str) -> int:
        """The events of one SLO that arrived, whatever their verdict."""
        return int(sum(value for told, value in self.events.items() if ("slo.name", slo) in told))


class Measured:
    """The runtime around this process. UPSTREAM_DOOR names the way in: `asgi`, `wsgi` or `django`."""

    def __init__(self) -> None:
        self._sink = Sink()
        self._handle = slo_otel.configure(exporter=self._sink)
        self._door = Door()

    def install(self) -> None:
        """Before the first test module is imported: applications are made there."""
        way_in = importlib.import_module(f"upstream_{os.environ['UPSTREAM_DOOR']}")
        install: Callable[[Door, slo_otel.Handle], None] = way_in.install
        install(self._door, self._handle)

    def counts(self) -> Counts:
        """Where the counts stand, before a test."""
        return self._door.sent, self._door.opened, recorded()

    def since(self, before: Counts) -> Counts:
        """What a test did, once what it opened is closed; that may take a moment."""
        self._door.close()
        limit = time.monotonic() + _LATE_SECONDS
        while self._open(before) and time.monotonic() < limit:
            time.sleep(0.01)
        sent, opened, events = before
        return self._door.sent - sent, self._door.opened - opened, recorded() - events

    def _open(self, before: Counts) -> bool:
        return recorded() - before[2] < self._door.opened - before[1]

    def ended(self) -> dict[str, object]:
        """The totals of this process, on three counts that have to agree, and our own faults. Ends the runtime."""
        opened, events, flushed = self._door.opened, recorded(), self._handle.flush(_EXPORT_SECONDS)
        said = Totals(opened, events, self._sink.total(EVERYTHING), flushed, dict(faults()))
        self._handle.shutdown(_EXPORT_SECONDS)
        return vars(said)


@dataclass(frozen=True)
class Totals:
    """What `runs.Process` is read from."""

    opened: int
    recorded: int
    exported: int
    flushed: bool
    faults: dict[str, int]


def recorded() -> int:
    """The events in the recorder now."""
    running = active()
    return 0 if running is None else sum(cell.count for cell in running.recorder.snapshot(0, 0).cells)
