"""pytest plugin: every application that a test drives is measured by slo_otel, as a service of its own would be.

The runtime is a real one: a policy, its thread, the memory ledger, and an exporter that keeps the newest counts.
`runs.py` loads it, into the workers of xdist too.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator
from typing import Final

import pytest
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from upstream_doors import Door, after, wrap_called, wrap_driven

import slo_otel
from slo_otel.errors import faults
from slo_otel.instrumentation import active
from slo_otel.testing import InMemoryExporter

PROPERTY: Final = "slo_otel"
"""The user property of a test's reports: connections sent, those that reached our middleware, events recorded."""
EVERYTHING: Final = "everything"
"""The service level of policy.yaml that counts every connection."""
_EXPORT_SECONDS: Final = 30.0


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


class Around:
    """The runtime around one process of the suite, and what it saw in each test."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._sink = Sink()
        self._handle = slo_otel.configure(exporter=self._sink)
        self._door = Door()

    def install(self) -> None:
        """Before the first test module is imported: applications are made there."""
        self._door.watch()
        for name in os.environ["UPSTREAM_APPLICATIONS"].split():
            module, _, attribute = name.partition(":")
            after(getattr(importlib.import_module(module), attribute), self._handle.instrument)
        wrap_driven()
        wrap_called()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remember where the counts stood."""
        self._before = self._counts()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Say with the test's last report what it sent and what was recorded."""
        try:
            return (yield)
        finally:
            during = [after - before for after, before in zip(self._counts(), self._before, strict=True)]
            item.user_properties.append((PROPERTY, during))

    def _counts(self) -> tuple[int, int, int]:
        return self._door.sent, self._door.opened, recorded()

    def pytest_sessionfinish(self) -> None:
        """The totals of this process, on three counts that have to agree, and our own faults."""
        output = getattr(self._config, "workeroutput", None)
        totals = self._totals()
        if output is not None:
            output[PROPERTY] = totals
        else:
            setattr(self._config, PROPERTY, totals)
        self._handle.shutdown(_EXPORT_SECONDS)

    def _totals(self) -> dict[str, object]:
        opened, events, flushed = self._door.opened, recorded(), self._handle.flush(_EXPORT_SECONDS)
        exported = self._sink.total(EVERYTHING)
        return {
            "opened": opened,
            "recorded": events,
            "exported": exported,
            "flushed": flushed,
            "faults": dict(faults()),
        }


def recorded() -> int:
    """The events in the recorder now."""
    running = active()
    return 0 if running is None else sum(cell.count for cell in running.recorder.snapshot(0, 0).cells)


def pytest_configure(config: pytest.Config) -> None:
    """Only where tests run: the controller of xdist runs none."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        around = Around(config)
        around.install()
        config.pluginmanager.register(around, "slo_otel.upstream")
