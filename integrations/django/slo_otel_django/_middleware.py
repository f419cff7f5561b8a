"""The middleware: opens a request, hands it on, and says what became of it."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import ClassVar, TypeAlias, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from slo_otel.adapters import HttpDoor, Visit
from slo_otel_django import _settings
from slo_otel_django._cancellation import cancelled_by_server
from slo_otel_django._notes import carrier_of, listen
from slo_otel_django._setup import set_up
from slo_otel_django._streams import Stream, follow
from slo_otel_django._targets import Targets
from slo_otel_django._validation import observe

Answer: TypeAlias = HttpResponseBase | Awaitable[HttpResponseBase]


class SLOMiddleware:
    """Measures every request of a Django project: `"slo_otel_django.SLOMiddleware"`, first in MIDDLEWARE.

    Synchronous or asynchronous as its neighbours are, so it makes Django change threads for nothing. It configures
    the process when a server builds the application, from `SLO_OTEL` in the settings, and raises
    `ConfigurationError` or `PolicyError` for what cannot work. With SLO_OTEL_DISABLED it takes itself out.

    A visit closes with the answer, a stream with its last part. Exceptions that Django answers for have their type;
    what came before Django's middleware (a path or a body that cannot be read) never comes here.
    """

    sync_capable: ClassVar[bool] = True
    async_capable: ClassVar[bool] = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        """`get_response` is what Django gives every middleware."""
        given = _settings.read()
        handle = set_up(given)
        if handle is not None and not handle.running:
            raise MiddlewareNotUsed("SLO_OTEL_DISABLED is set")
        self._get_response = get_response
        self._door = HttpDoor[HttpRequest](
            target=Targets().find,
            method=attrgetter("method"),
            carrier=carrier_of,
            attributes=given.attributes,
        )
        self._begin = self._begin_first
        listen()
        self._asynchronous = iscoroutinefunction(get_response)
        if self._asynchronous:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Answer:
        """Serve one request; a coroutine where Django is asynchronous."""
        if self._asynchronous:
            return self._serve(request)
        visit = self._begin(request)
        if visit is None:
            return self._get_response(request)
        try:
            response = cast("HttpResponseBase", self._get_response(request))
        except BaseException as fault:
            self._door.raised(visit, fault)
            raise
        if response.streaming:
            self._follow(visit, request, response)
        else:
            self._door.answered(visit, response.status_code)
        return response

    async def _serve(self, request: HttpRequest) -> HttpResponseBase:
        visit = self._begin(request)
        get_response = cast("Callable[[HttpRequest], Awaitable[HttpResponseBase]]", self._get_response)
        if visit is None:
            return await get_response(request)
        try:
            response = await get_response(request)
        except BaseException as fault:
            self._fail(visit, fault)
            raise
        if response.streaming:
            self._follow(visit, request, response)
        else:
            self._door.answered(visit, response.status_code)
        return response

    def _begin_first(self, request: HttpRequest) -> Visit | None:
        """The first request: what observes the project's frameworks must be there before its view runs."""
        observe()
        self._begin = self._door.begin
        return self._door.begin(request)

    def _follow(self, visit: Visit, request: HttpRequest, response: HttpResponseBase) -> None:
        stream = Stream(self._door, visit)
        follow(stream, request, cast("StreamingHttpResponse", response), asynchronous=self._asynchronous)

    def _fail(self, visit: Visit, fault: BaseException) -> None:
        """Raised, or cancelled: Django cancels the task of a request when its client leaves."""
        if isinstance(fault, CancelledError) and not cancelled_by_server():
            self._door.left(visit)
        else:
            self._door.raised(visit, fault)
