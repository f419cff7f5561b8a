"""One FastAPI application in every variant: bare, ours, and each peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.peers import fastapi_native, instrumentator, otel_asgi
from slo_otel.instrumentation import ASGIApp, Receive, Scope, Send

BARE = "bare"
OURS = "ours"
Wrap = Callable[[FastAPI], ASGIApp]


@dataclass(frozen=True, slots=True)
class Providers:
    """How peers on OpenTelemetry get their meters and tracers."""

    meters: Callable[[], MeterProvider]
    traces: Callable[[], TracerProvider]


class PassThrough:
    """What any middleware costs: one more call of a coroutine."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and do nothing else."""
        await self.app(scope, receive, send)


def routed(app: FastAPI) -> FastAPI:
    """The route that is asked for: a path parameter in, JSON out."""

    @app.get("/items/{item}")
    async def endpoint(item: int) -> dict[str, int]:
        return {"item": item}

    return app


def variants(wrap_ours: Wrap, providers: Providers) -> dict[str, Callable[[], ASGIApp]]:
    """How to build each; `wrap_ours` is the middleware alone or the whole runtime."""
    return {
        BARE: lambda: routed(FastAPI()),
        OURS: lambda: wrap_ours(routed(FastAPI())),
        "prometheus-fastapi-instrumentator": lambda: instrumentator.instrumented(routed(FastAPI())),
        "fastapi metrics": lambda: routed(fastapi_native.application(providers.meters())),
        "otel-asgi metrics": lambda: otel_asgi.instrumented(routed(FastAPI()), providers.meters()),
        "otel-asgi metrics (defaults)": lambda: otel_asgi.by_default(routed(FastAPI()), providers.meters()),
        "otel-asgi metrics+traces": lambda: otel_asgi.instrumented(
            routed(FastAPI()), providers.meters(), providers.traces()
        ),
    }
