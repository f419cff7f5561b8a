"""Beside OpenTelemetry's own instrumentations: whoever comes first, nobody counts twice, and nobody is harmed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, StreamingResponse
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
from starlette.requests import Request

from slo_otel import SLOMiddleware
from slo_otel.instrumentation import ASGIApp, instrument
from tests.instrumentation.asgi_fake import exchange
from tests.instrumentation.asgi_world import World, running
from tests.spans.traced import Traced

Counts: TypeAlias = dict[tuple[str | None, str | None, int | None, Any], int]
Install: TypeAlias = Callable[[ASGIApp, Traced], ASGIApp]
PATHS = ("/orders/7", "/refused", "/down", "/boom", "/odd", "/stream", "/nowhere", "/orders/8")


class OddError(Exception):
    """What a handler of the application turns into an answer."""


def shop() -> FastAPI:
    """An application with every kind of ending."""
    app = FastAPI()

    @app.get("/orders/{id}")
    async def order(id: str) -> dict[str, str]:  # noqa: A002 - the parameter of the path
        return {"id": id}

    @app.get("/refused")
    def refused() -> None:
        raise HTTPException(409)

    @app.get("/down")
    def down() -> None:
        raise HTTPException(503)

    @app.get("/boom")
    async def boom() -> None:
        raise ValueError("boom")

    @app.get("/odd")
    async def odd() -> None:
        raise OddError

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter((b"a", b"b")))

    @app.exception_handler(OddError)
    async def handle(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({}, 503)

    return app


def otel_fastapi(app: ASGIApp, traced: Traced) -> ASGIApp:
    """opentelemetry-instrumentation-fastapi on the application."""
    application = cast("FastAPI", app)
    FastAPIInstrumentor.instrument_app(application, tracer_provider=traced.tracers, meter_provider=traced.meters)
    return app


def otel_added(app: ASGIApp, traced: Traced) -> ASGIApp:
    """opentelemetry-instrumentation-asgi among the application's own middleware."""
    cast("FastAPI", app).add_middleware(
        cast("Any", OpenTelemetryMiddleware), tracer_provider=traced.tracers, meter_provider=traced.meters
    )
    return app


def otel_starlette(app: ASGIApp, traced: Traced) -> ASGIApp:
    """opentelemetry-instrumentation-starlette on the application, which adds a middleware."""
    application = cast("FastAPI", app)
    StarletteInstrumentor.instrument_app(application, tracer_provider=traced.tracers, meter_provider=traced.meters)
    return app


def otel_around(app: ASGIApp, traced: Traced) -> ASGIApp:
    """opentelemetry-instrumentation-asgi around the application."""
    return cast(
        "ASGIApp",
        OpenTelemetryMiddleware(app, tracer_provider=traced.tracers, meter_provider=traced.meters),
    )


def ours_in_place(app: ASGIApp, traced: Traced) -> ASGIApp:
    """`instrument`."""
    return instrument(app)


def ours_around(app: ASGIApp, traced: Traced) -> ASGIApp:
    """`SLOMiddleware` as the last line of the module."""
    return SLOMiddleware(app)


def ours_added(app: ASGIApp, traced: Traced) -> ASGIApp:
    """`SLOMiddleware` among the application's own middleware."""
    cast("FastAPI", app).add_middleware(SLOMiddleware)
    return app


ORDERS: tuple[tuple[Install, Install], ...] = (
    (ours_in_place, otel_fastapi),
    (otel_fastapi, ours_in_place),
    (ours_in_place, otel_added),
    (otel_added, ours_in_place),
    (ours_in_place, otel_starlette),
    (otel_starlette, ours_in_place),
    (ours_in_place, otel_around),
    (otel_fastapi, ours_around),
    (otel_added, ours_around),
    (otel_around, ours_around),
    (ours_around, otel_around),
    (ours_added, otel_fastapi),
    (otel_fastapi, ours_added),
    (ours_added, otel_added),
    (otel_added, ours_added),
)


def _name(installs: tuple[Install, ...]) -> str:
    return "-then-".join(install.__name__ for install in installs)


@pytest.fixture(autouse=True)
def _uninstrumented() -> Iterator[None]:
    """opentelemetry-instrumentation-fastapi also patches Starlette's background tasks: put them back."""
    yield
    FastAPIInstrumentor.uninstrument_app(FastAPI())


async def served(*installs: Install, traced: Traced | None = None, lifespan: bool = False) -> World:
    """What we counted of the requests, with these around the application, in this order."""
    traced = traced or Traced()
    app: ASGIApp = shop()
    with running() as world:
        for install in installs:
            app = install(app, traced)
        if lifespan:
            await _begun(app)
        for path in PATHS:
            await exchange(app, path)
    return world


async def _begun(app: ASGIApp) -> None:
    """A server's first connection, as far as the start-up goes and the end at once."""
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, Any]:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        assert message["type"].endswith(".complete")

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)


@pytest.mark.asyncio
@pytest.mark.parametrize("lifespan", [False, True], ids=["at-once", "after-lifespan"])
@pytest.mark.parametrize("installs", ORDERS, ids=_name)
async def test_the_counts_are_those_without_opentelemetry(
    installs: tuple[Install, Install], lifespan: bool, traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """Each request is counted once, with the route and outcome it has without OpenTelemetry, and nobody warns."""
    ours = next(install for install in installs if install.__name__.startswith("ours"))
    with caplog.at_level(logging.WARNING):
        alone = await served(ours)
        beside = await served(*installs, traced=traced, lifespan=lifespan)
    assert beside.counts() == alone.counts()
    assert sum(beside.counts().values()) == len(PATHS)
    assert not [record for record in caplog.records if record.name.startswith(("opentelemetry", "slo_otel"))]


@pytest.mark.asyncio
@pytest.mark.parametrize("lifespan", [False, True], ids=["at-once", "after-lifespan"])
@pytest.mark.parametrize("installs", ORDERS, ids=_name)
async def test_spans_and_metrics_of_opentelemetry_are_those_without_us(
    installs: tuple[Install, Install], lifespan: bool, traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same spans with the same names, statuses and attributes, and as many measurements."""
    theirs = next(install for install in installs if install.__name__.startswith("otel"))
    await served(*installs, traced=traced, lifespan=lifespan)
    alone = Traced()
    alone.installed(monkeypatch)
    await served(theirs, traced=alone, lifespan=lifespan)
    assert [_told(span) for span in traced.spans()] == [_told(span) for span in alone.spans()]
    assert len(traced.served()) >= len(PATHS)
    assert traced.counted() == alone.counted()
    assert set(traced.counted().values()) == {len(PATHS)}


def _told(span: Any) -> object:
    return span.name, span.kind, dict(span.attributes), span.status.status_code, [each.name for each in span.events]


@pytest.mark.asyncio
async def test_fastapis_own_telemetry_stays_out_of_the_way_of_opentelemetrys(traced: Traced) -> None:
    """FastAPI looks for opentelemetry's middleware in the stack and finds it behind ours: one span a request."""
    await served(otel_fastapi, ours_in_place, traced=traced)
    assert len(traced.served()) == len(PATHS)
    assert not [span.name for span in traced.spans() if span.name.startswith("fastapi.")]
