"""The middleware: opens a request, hands it on, and says what became of it."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, MutableMapping
from operator import attrgetter
from typing import Any, TypeAlias, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
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
Carrier: TypeAlias = Callable[[HttpRequest], MutableMapping[str, Any]]


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
    observe()
    if iscoroutinefunction(get_response):
        hear()
        return markcoroutinefunction(_around_async(_door(_scope, given), cast("AsyncHandler", get_response)))
    return _around(_door(attrgetter("META"), given), cast("Handler", get_response))


def _door(carrier: Carrier, given: _settings.Settings) -> Door:
    """`carrier` says what lives as long as a request: META is the environ under WSGI."""
    return HttpDoor(
        target=Targets().find,
        method=attrgetter("method"),
        carrier=carrier,
        attributes=given.attributes,
    )


def _scope(request: HttpRequest) -> MutableMapping[str, Any]:
    """Of an asynchronous request; under WSGI it is one too where the next middleware is asynchronous only."""
    try:
        scope: MutableMapping[str, Any] = request.scope  # type: ignore[attr-defined]  # of an ASGIRequest
    except AttributeError:
        return request.META
    return scope


def _around(door: Door, get_response: Handler) -> Handler:
    def stream(visit: Visit, request: HttpRequest, response: HttpResponseBase) -> None:
        follow(Stream(door, visit), request, cast("StreamingHttpResponse", response), asynchronous=False)

    return door.around(get_response, stream)


def _around_async(door: Door, get_response: AsyncHandler) -> AsyncHandler:
    def stream(visit: Visit, request: HttpRequest, response: HttpResponseBase) -> None:
        follow(Stream(door, visit), request, cast("StreamingHttpResponse", response), asynchronous=True)

    def cancelled(visit: Visit, fault: BaseException) -> None:
        """By Django because the client has left, or by the server."""
        if isinstance(fault, CancelledError) and client_left():
            door.left(visit)
        else:
            door.raised(visit, fault)

    return door.around_async(get_response, stream, cancelled)
