"""The service on Django, with streams and views of the kind that each protocol can serve part by part."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, URLResolver, include, path
from django.utils.decorators import sync_and_async_middleware
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import HttpError

from slo_otel import tag
from tests.frameworks.asgi_worlds import INSIDE
from tests.instrumentation.asgi_apps import KnownError

api = NinjaAPI(openapi_url=None, urls_namespace="frameworks")


@api.get("/validated/{number}")
def validated(request: HttpRequest, number: int) -> int:
    """What is no integer is refused before this is called."""
    return number


@api.get("/hand-raised")
def hand_raised(request: HttpRequest) -> int:
    """Refused by hand."""
    raise HttpError(422, "no")


@tag("money")
@require_safe
def ok(request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 - the name in the template
    """Answer at once."""
    return HttpResponse("ok")


def answer(request: HttpRequest, code: int) -> HttpResponse:
    """Answer with a status."""
    return HttpResponse(status=code)


def raising(fault: BaseException) -> Callable[[HttpRequest], HttpResponse]:
    """A view that raises."""

    def view(request: HttpRequest) -> HttpResponse:
        raise fault

    return view


def background(request: HttpRequest) -> HttpResponse:
    """Fails when the answer is complete: Django closes what belongs to an answer, and keeps what that raises."""

    class Resource:
        def close(self) -> None:
            raise ZeroDivisionError("in the background")

    response = HttpResponse("ok")
    response._resource_closers.append(Resource().close)  # type: ignore[attr-defined]  # what an open file becomes
    return response


def wait(seconds: float) -> None:
    """As a view that waits for something else."""
    threading.Event().wait(seconds)


def polling(request: HttpRequest) -> HttpResponse:
    """Cannot know that its client has gone."""
    wait(0.2)
    return HttpResponse("nobody reads this")


async def apolling(request: HttpRequest) -> HttpResponse:
    """Is cancelled by Django when its client has gone, from 5.0 on."""
    await asyncio.sleep(2)  # one that is slow to leave is no test's failure
    return HttpResponse("nobody reads this")


async def awaiting(request: HttpRequest) -> HttpResponse:
    """Answer after a minute."""
    INSIDE.append(request.path)
    await asyncio.sleep(60)
    return HttpResponse("late")


def late() -> Iterator[str]:
    yield "one"
    raise ZeroDivisionError("after the start")


def stream() -> Iterator[str]:
    for _ in range(4):
        wait(0.05)
        yield "chunk"


def events() -> Iterator[str]:
    yield "data: 1\n\n"
    wait(0.02)
    yield "data: 2\n\n"


def endless() -> Iterator[str]:
    while True:
        yield "chunk"
        wait(0.005)


async def alate() -> AsyncIterator[str]:
    yield "one"
    raise ZeroDivisionError("after the start")


async def astream() -> AsyncIterator[str]:
    for _ in range(4):
        await asyncio.sleep(0.05)
        yield "chunk"


async def aevents() -> AsyncIterator[str]:
    yield "data: 1\n\n"
    await asyncio.sleep(0.02)
    yield "data: 2\n\n"


async def aendless() -> AsyncIterator[str]:
    for _ in range(400):  # Django 4.2 does not hear of a client that has gone
        yield "chunk"
        await asyncio.sleep(0.005)


Parts = Iterator[str] | AsyncIterator[str]


def streaming(parts: Callable[[], Parts], kind: str = "text/plain") -> Callable[[HttpRequest], HttpResponseBase]:
    """A view that streams."""

    def view(request: HttpRequest) -> HttpResponseBase:
        return StreamingHttpResponse(parts(), content_type=kind)

    return view


def patterns(*streams: Callable[[], Parts], **waits: Callable[..., object]) -> list[URLPattern | URLResolver]:
    """The URLconf, given what differs between the protocols."""
    breaking, whole, told, unending = streams
    return [
        path("ok/<id>", ok),
        path("answer/<int:code>", answer),
        path("boom", raising(ZeroDivisionError("boom"))),
        path("known", raising(KnownError())),
        path("timeout", raising(TimeoutError("the database did not answer"))),
        path("network", raising(ConnectionResetError("an upstream, not the client"))),
        path("background", background),
        path("late", streaming(breaking)),
        path("stream", streaming(whole)),
        path("events", streaming(told, "text/event-stream")),
        path("endless", streaming(unending)),
        path("polling", waits["polling"]),  # type: ignore[arg-type]  # views of both kinds
        path("waiting", waits["waiting"]),  # type: ignore[arg-type]  # views of both kinds
        path(
            "part/",
            include([path("deep/", include([path("<id>", require_safe(lambda *_, **__: HttpResponse()))]))]),
        ),
        path("", api.urls),
    ]


@sync_and_async_middleware
def by_protocol(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """The URLconf of the protocol, before anything else: the settings of the process are other tests' too."""
    if iscoroutinefunction(get_response):

        async def under_asgi(request: HttpRequest) -> HttpResponseBase:
            request.urlconf = "tests.frameworks.django_asgi_urls"
            answer: HttpResponseBase = await get_response(request)
            return answer

        return under_asgi

    def under_wsgi(request: HttpRequest) -> HttpResponseBase:
        request.urlconf = "tests.frameworks.django_wsgi_urls"
        answer: HttpResponseBase = get_response(request)
        return answer

    return under_wsgi


class Known(MiddlewareMixin):
    """The service's own handler of exceptions."""

    def process_exception(self, request: HttpRequest, fault: Exception) -> HttpResponse | None:
        """What it knows how to answer."""
        return HttpResponse(status=409) if isinstance(fault, KnownError) else None
