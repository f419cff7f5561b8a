"""The middleware: opens a request, hands it on, and says what became of it."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import TypeAlias, cast

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from slo_otel.adapters import HttpDoor, Visit
from slo_otel_django import _settings
from slo_otel_django._cancellation import client_left, hear
from slo_otel_django._notes import listen
from slo_otel_django._setup import set_up
from slo_otel_django._streams import Stream, follow
from slo_otel_django._targets import Targets
from slo_otel_django._validation import observe

Handler: TypeAlias = Callable[[HttpRequest], HttpResponseBase]
AsyncHandler: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponseBase]]
Door: TypeAlias = HttpDoor[HttpRequest]
Opening: TypeAlias = Callable[[HttpRequest], Door]


@sync_and_async_middleware
def SLOMiddleware(get_response: Handler | AsyncHandler) -> Handler | AsyncHandler:  # noqa: N802 - named as in MIDDLEWARE
    """Measures every request of a Django project: `"slo_otel_django.SLOMiddleware"`, first in MIDDLEWARE.

    Synchronous or asynchronous as its neighbours are, so it makes Django change threads for nothing. It configures
    the process when a server builds the application, from `SLO_OTEL` in the settings, and raises
    `ConfigurationError` or `PolicyError` for what cannot work. With SLO_OTEL_DISABLED it takes itself out.

    An answer is counted when it is handed on, a stream with its last part. Exceptions that Django answers for have
    their type. What Django answers before its middleware (a path or a body that cannot be read) never comes here.
    """
    given = _settings.read()
    handle = set_up(given)
    if handle is not None and not handle.running:
        raise MiddlewareNotUsed("SLO_OTEL_DISABLED is set")
    listen()

    def opening(request: HttpRequest) -> Door:
        return _door(request, given)

    if iscoroutinefunction(get_response):
        hear()
        return _asynchronous(cast("AsyncHandler", get_response), opening)
    return _synchronous(cast("Handler", get_response), opening)


def _door(request: HttpRequest, given: _settings.Settings) -> Door:
    """Made with the first request, before its view: then the project's frameworks can be observed, and it is known
    whether requests have an environ, which is their META, or a scope."""
    observe()
    return HttpDoor(
        target=Targets().find,
        method=attrgetter("method"),
        carrier=attrgetter("scope" if hasattr(request, "scope") else "META"),
        attributes=given.attributes,
    )


# Functions and not objects, names of the closure and not attributes: what runs between two requests empties the
# processor's caches, and then every object that is touched costs several times what it does in a loop.


def _synchronous(get_response: Handler, opening: Opening) -> Handler:
    door: Door | None = None

    def middleware(request: HttpRequest) -> HttpResponseBase:
        nonlocal door
        if door is None:
            door = opening(request)
        visit = door.begin(request)
        if visit is None:
            return get_response(request)
        try:
            response = get_response(request)
        except BaseException as fault:
            door.raised(visit, fault)
            raise
        if response.streaming:
            _follow(door, visit, request, response, asynchronous=False)
        else:
            door.answered(visit, response.status_code)
        return response

    return middleware


def _asynchronous(get_response: AsyncHandler, opening: Opening) -> AsyncHandler:
    door: Door | None = None

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        nonlocal door
        if door is None:
            door = opening(request)
        visit = door.begin(request)
        if visit is None:
            return await get_response(request)
        try:
            response = await get_response(request)
        except BaseException as fault:
            _fail(door, visit, fault)
            raise
        if response.streaming:
            _follow(door, visit, request, response, asynchronous=True)
        else:
            door.answered(visit, response.status_code)
        return response

    return middleware


def _follow(
    door: Door, visit: Visit, request: HttpRequest, response: HttpResponseBase, *, asynchronous: bool
) -> None:
    follow(Stream(door, visit), request, cast("StreamingHttpResponse", response), asynchronous=asynchronous)


def _fail(door: Door, visit: Visit, fault: BaseException) -> None:
    """Raised, or cancelled: by Django because the client has left, or by the server."""
    if isinstance(fault, CancelledError) and client_left():
        door.left(visit)
    else:
        door.raised(visit, fault)
