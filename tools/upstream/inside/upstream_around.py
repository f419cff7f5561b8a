"""pytest plugin: every application that a test drives is measured by slo_otel, as a service of its own would be.

Starlette and FastAPI applications are wrapped in place the moment they exist; whatever else a test client is given
(a function, a router, a response) is wrapped where it is driven. The runtime is a real one: a policy, its thread,
the memory ledger, and an exporter that keeps the newest counts. `runs.py` loads it, into the workers of xdist too.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Generator
from functools import wraps
from typing import Final, TypeVar

import httpx
import httpx2
import pytest
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from starlette.applications import Starlette
from starlette.testclient import TestClient, _TestClientTransport

import slo_otel
from slo_otel.errors import faults
from slo_otel.instrumentation import ASGIApp, Receive, Scope, Send, active
from slo_otel.testing import InMemoryExporter

T = TypeVar("T")
PROPERTY: Final = "slo_otel"
"""The user property of a test's reports: connections sent, those that reached our middleware, events recorded."""
MEASURED: Final = frozenset({"http", "websocket"})
EVERYTHING: Final = "everything"
"""The service level of policy.yaml that counts every connection."""
TRANSPORTS: Final[tuple[type, ...]] = (httpx.ASGITransport, httpx2.ASGITransport)
_MARK: Final = "slo_otel.upstream"
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


class Door:
    """Counts what the tests' clients send, and what of it reaches the outermost of our middlewares."""

    def __init__(self) -> None:
        self.sent = self.opened = 0

    def watch(self) -> None:
        """Count from now on, in every transport that drives an application and in every `SLOMiddleware`."""
        self._count_sent(_TestClientTransport, "handle_request")
        for transport in TRANSPORTS:
            self._count_sent(transport, "handle_async_request")
        self._count_opened()

    def _count_sent(self, kind: type, name: str) -> None:
        send: Callable[..., object] = getattr(kind, name)

        @wraps(send)
        def counted(*args: object) -> object:
            self.sent += 1
            return send(*args)

        setattr(kind, name, counted)

    def _count_opened(self) -> None:
        serve = slo_otel.SLOMiddleware.__call__

        @wraps(serve)
        async def counted(self_: slo_otel.SLOMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] in MEASURED and _MARK not in scope:
                scope[_MARK] = True
                self.opened += 1
            await serve(self_, scope, receive, send)

        setattr(slo_otel.SLOMiddleware, "__call__", counted)  # noqa: B010 - a method, replaced on purpose


def measured(app: ASGIApp) -> ASGIApp:
    """An application that nobody instruments in place, wrapped."""
    return app if isinstance(app, Starlette | slo_otel.SLOMiddleware) else slo_otel.SLOMiddleware(app)


def wrap_driven() -> None:
    """What a test client or a transport of httpx drives goes through our middleware."""
    after(TestClient, _wrap_client)
    for transport in TRANSPORTS:
        after(transport, _wrap_transport)


def after(kind: type[T], change: Callable[[T], object]) -> None:
    """Do this to every new instance of a class, as the last thing of its constructor."""
    build: Callable[..., None] = getattr(kind, "__init__")  # noqa: B009 - the constructor of this very class

    @wraps(build)
    def built(self: T, *args: object, **kwargs: object) -> None:
        build(self, *args, **kwargs)
        change(self)

    setattr(kind, "__init__", built)  # noqa: B010 - a method, replaced on purpose


def _wrap_client(client: TestClient) -> None:
    """The lifespan goes through the client's application, requests through the transport's."""
    client.app = measured(client.app)
    setattr(client._transport, "app", client.app)  # noqa: B010 - Starlette's own transport, whose class is private


def _wrap_transport(transport: object) -> None:
    setattr(transport, "app", measured(getattr(transport, "app")))  # noqa: B009, B010 - httpx or httpx2


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
