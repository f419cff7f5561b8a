"""Starlette and FastAPI on uvicorn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from slo_otel import tag
from slo_otel.instrumentation import SLOMiddleware, instrument
from tests.frameworks.world import Extractor, Serving, ask, until
from tests.instrumentation import asgi_apps
from tests.instrumentation.asgi_server import served

INSIDE: list[str] = []
"""Paths of the requests that are being served without an end."""


@tag("money")
async def ok(request: Request) -> Response:
    """Answer at once."""
    return PlainTextResponse("ok")


async def waiting(request: Request) -> Response:
    """Answer after a minute."""
    INSIDE.append(request.url.path)
    await asyncio.sleep(60)
    return PlainTextResponse("late")


OWN = {"/ok/{id}": ok, "/waiting": waiting}
"""Endpoints in place of those of the ASGI middleware's own suite."""


def starlette_service() -> Starlette:
    """The service on Starlette."""
    app = asgi_apps.starlette_app()
    app.router.routes[:] = [route for route in app.routes if getattr(route, "path", "") not in OWN]
    app.router.routes += [Route(path, endpoint) for path, endpoint in OWN.items()]
    app.router.routes += [Mount("/part", routes=[Mount("/deep", routes=[Route("/{id}", asgi_apps.ok)])])]
    return app


def fastapi_service() -> FastAPI:
    """The service on FastAPI."""
    app = asgi_apps.fastapi_app()
    assert isinstance(app, FastAPI)
    app.router.routes[:] = [route for route in app.routes if getattr(route, "path", "") not in OWN]
    for path, endpoint in OWN.items():
        app.add_api_route(path, endpoint)

    @app.get("/validated/{number}")
    async def validated(number: int) -> int:
        return number

    deep = APIRouter(prefix="/deep")
    deep.add_api_route("/{id}", asgi_apps.ok)
    app.include_router(deep, prefix="/part")
    return app


@dataclass(frozen=True)
class OnUvicorn:
    """A framework of Starlette's family."""

    name: str
    service: Callable[[], Starlette]

    def make(self, *, measured: int = 1, attributes: Extractor | None = None) -> Any:
        """Instrumented in place; a second one is around it."""
        app: Any = self.service()
        if measured:
            app = instrument(app, attributes=attributes)
        return SLOMiddleware(app) if measured > 1 else app

    @contextmanager
    def serve(self, app: Any) -> Iterator[Serving]:
        """uvicorn in a thread; without a grace it cancels what still runs when it ends."""
        with served(app) as server:

            def interrupt() -> None:
                before = len(INSIDE)
                with ask(server.port, "/waiting"):
                    until(lambda: len(INSIDE) > before)
                    server.stop()

            yield Serving(server.port, interrupt)

    def header(self, request: Any, name: str) -> str:
        """From the scope's list of pairs of bytes."""
        headers: list[tuple[bytes, bytes]] = request["headers"]
        return next(value.decode() for key, value in headers if key.decode() == name)


STARLETTE = OnUvicorn("starlette", starlette_service)
FASTAPI = OnUvicorn("fastapi", fastapi_service)
