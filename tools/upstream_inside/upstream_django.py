"""The way in for Django: ours is the first middleware of every handler, whatever MIDDLEWARE a test has set."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

from django.conf import LazySettings, settings
from django.core.handlers import base
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from upstream_door import Door

import slo_otel

OURS: Final = "slo_otel_django.SLOMiddleware"


class Settings:
    """The settings as the handlers read them: any others than MIDDLEWARE are the project's of this moment."""

    def __init__(self, given: LazySettings) -> None:
        self._given = given

    def __getattr__(self, name: str) -> object:
        found: object = getattr(self._given, name)
        return [OURS, *self._given.MIDDLEWARE] if name == "MIDDLEWARE" else found


def install(door: Door, handle: slo_otel.Handle) -> None:
    """Before the first handler is built. `handle` is the process's; the middleware finds it by the policy."""
    setattr(base, "settings", Settings(settings))  # noqa: B010 - a module's name, replaced on purpose
    load = base.BaseHandler.load_middleware

    @wraps(load)
    def loaded(self: base.BaseHandler, is_async: bool = False) -> None:
        load(self, is_async=is_async)
        chain = vars(self)["_middleware_chain"]
        counting = _counting_async(door, chain) if is_async else _counting(door, chain)
        setattr(self, "_middleware_chain", counting)  # noqa: B010 - replaced on purpose

    setattr(base.BaseHandler, "load_middleware", loaded)  # noqa: B010 - a method, replaced on purpose


def _counting(door: Door, chain: Any) -> Callable[[HttpRequest], HttpResponseBase]:
    """Each request that a handler hands to its middleware, ours before all others."""

    def counted(request: HttpRequest) -> HttpResponseBase:
        return _answered(door, chain(_asked(door, request)))

    return counted


def _counting_async(door: Door, chain: Any) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    async def counted(request: HttpRequest) -> HttpResponseBase:
        return _answered(door, await chain(_asked(door, request)))

    return counted


def _asked(door: Door, request: HttpRequest) -> HttpRequest:
    door.sent += 1
    door.opened += 1
    return request


def _answered(door: Door, response: HttpResponseBase) -> HttpResponseBase:
    if response.streaming:
        door.leave(lambda: response.closed, response.close)
    return response
