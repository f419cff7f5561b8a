"""The way in for ASGI: where our middleware is put, and what is counted there.

Starlette and FastAPI applications are wrapped in place the moment they exist. Whatever else a test client is given
(a function, a router, a response) is wrapped where it is driven, and Starlette's own ASGI classes (middleware,
routers, responses) where a test calls them by itself.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import wraps
from types import ModuleType
from typing import Final, TypeAlias

import httpx
import httpx2
import starlette
from starlette.applications import Starlette
from starlette.testclient import TestClient, _TestClientTransport
from upstream_door import MARK, Door, after

import slo_otel
from slo_otel.instrumentation import ASGIApp, Receive, Scope, Send

Serve: TypeAlias = Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]]
"""The `__call__` of a class of ASGI applications."""
MEASURED: Final = frozenset({"http", "websocket"})
TRANSPORTS: Final[tuple[type, ...]] = (httpx.ASGITransport, httpx2.ASGITransport)
_SIGNATURE: Final = ["self", "scope", "receive", "send"]


def install(door: Door, handle: slo_otel.Handle) -> None:
    """Before the first test module is imported: applications are made there."""
    _count(door)
    for name in os.environ["UPSTREAM_APPLICATIONS"].split():
        module, _, attribute = name.partition(":")
        after(getattr(importlib.import_module(module), attribute), handle.instrument)
    wrap_driven()
    wrap_called()


def _count(door: Door) -> None:
    """Every transport that drives an application, and every `SLOMiddleware`."""
    door.count_sent(_TestClientTransport, "handle_request")
    for transport in TRANSPORTS:
        door.count_sent(transport, "handle_async_request")
    serve = slo_otel.SLOMiddleware.__call__

    @wraps(serve)
    async def counted(self: slo_otel.SLOMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in MEASURED:
            door.open(scope)
        await serve(self, scope, receive, send)

    setattr(slo_otel.SLOMiddleware, "__call__", counted)  # noqa: B010 - a method, replaced on purpose


def measured(app: ASGIApp) -> ASGIApp:
    """An application that nobody instruments in place, wrapped."""
    return app if isinstance(app, Starlette | slo_otel.SLOMiddleware) else slo_otel.SLOMiddleware(app)


def wrap_driven() -> None:
    """What a test client or a transport of httpx drives goes through our middleware."""
    after(TestClient, _wrap_client)
    for transport in TRANSPORTS:
        after(transport, _wrap_transport)


def _wrap_client(client: TestClient) -> None:
    """The lifespan goes through the client's application, requests through the transport's."""
    client.app = measured(client.app)
    setattr(client._transport, "app", client.app)  # noqa: B010 - Starlette's own transport, whose class is private


def _wrap_transport(transport: object) -> None:
    setattr(transport, "app", measured(getattr(transport, "app")))  # noqa: B009, B010 - httpx or httpx2


def wrap_called() -> None:
    """What a test calls by itself goes through our middleware, unless it is below it already."""
    for kind, serve in _asgi_classes():
        setattr(kind, "__call__", _through(serve))  # noqa: B010 - a method, replaced on purpose


def _through(serve: Serve) -> Serve:
    @wraps(serve)
    async def served(self: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        below = MARK in scope or scope["type"] not in MEASURED
        await (serve(self, scope, receive, send) if below else slo_otel.SLOMiddleware(self)(scope, receive, send))

    return served


def _asgi_classes() -> Iterator[tuple[type, Serve]]:
    """Every class of Starlette's with an ASGI `__call__` of its own; applications are instrumented in place."""
    for module in _modules():
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__ and kind is not Starlette:
                serve = vars(kind).get("__call__")
                if inspect.iscoroutinefunction(serve) and [*inspect.signature(serve).parameters] == _SIGNATURE:
                    yield kind, serve


def _modules() -> list[ModuleType]:
    """Every module of Starlette's; some are deprecated, and some need a library that may not be there."""
    found = []
    for info in pkgutil.walk_packages(starlette.__path__, "starlette."):
        with suppress(ImportError), warnings.catch_warnings(action="ignore"):
            found.append(importlib.import_module(info.name))
    return found
