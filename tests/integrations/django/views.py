"""One view for each thing that a view can do."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from io import BytesIO
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.template.response import TemplateResponse
from django.views import View

import slo_otel

RAISED: dict[str, BaseException] = {
    "boom": ZeroDivisionError("boom"),
    "timeout": TimeoutError("the database did not answer"),
    "network": ConnectionResetError("an upstream, not the client"),
    "missing": Http404("no such thing"),
    "denied": PermissionDenied("not yours"),
    "suspicious": SuspiciousOperation("odd"),
    "bad": BadRequest("no"),
    "multipart": MultiPartParserError("no"),
    "exit": SystemExit(1),
}


def ok(request: HttpRequest, **captured: object) -> HttpResponse:
    return HttpResponse("ok")


async def aok(request: HttpRequest, **captured: object) -> HttpResponse:
    return HttpResponse("ok")


def positional(request: HttpRequest, *captured: object) -> HttpResponse:
    return HttpResponse("ok")


def answer(request: HttpRequest, code: int) -> HttpResponse:
    response = HttpResponse(status=code)
    if code == 204:  # wsgiref.validate refuses it with one
        del response.headers["Content-Type"]
    return response


def raising(request: HttpRequest, name: str) -> HttpResponse:
    raise RAISED[name].with_traceback(None)


async def araising(request: HttpRequest, name: str) -> HttpResponse:
    raise RAISED[name].with_traceback(None)


@transaction.atomic
def atomic(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("in a transaction")


def template(request: HttpRequest) -> HttpResponse:
    """Rendered after the view: the template does not exist."""
    return TemplateResponse(request, "none.html")


def nothing(request: HttpRequest) -> HttpResponse:
    return None  # type: ignore[return-value]  # a common mistake


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        for _ in range(4):
            time.sleep(0.05)
            yield "part"

    return StreamingHttpResponse(parts())


async def astream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        for _ in range(4):
            await asyncio.sleep(0.05)
            yield "part"

    return StreamingHttpResponse(parts())


def late(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        yield "part"
        raise ZeroDivisionError("after the start")

    return StreamingHttpResponse(parts())


async def alate(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        yield "part"
        raise ZeroDivisionError("after the start")

    return StreamingHttpResponse(parts())


def events(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        yield "data: 1\n\n"
        time.sleep(0.05)
        yield "data: 2\n\n"

    return StreamingHttpResponse(parts(), content_type="text/event-stream")


async def aevents(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        yield "data: 1\n\n"
        await asyncio.sleep(0.05)
        yield "data: 2\n\n"

    return StreamingHttpResponse(parts(), content_type="text/event-stream; charset=utf-8")


async def endless(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        while True:
            yield "part"
            await asyncio.sleep(0.005)

    return StreamingHttpResponse(parts())


entered = threading.Event()
"""Set when a view waits."""


async def waiting(request: HttpRequest) -> HttpResponse:
    entered.set()
    await asyncio.sleep(60)
    return HttpResponse("late")


async def own_cancellation(request: HttpRequest) -> HttpResponse:
    raise asyncio.CancelledError


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(BytesIO(b"content" * 1000), filename="report.bin")


def said(request: HttpRequest) -> HttpResponse:
    slo_otel.current_event().set(reason="insufficient_balance")
    return HttpResponse(status=402)


async def asaid(request: HttpRequest) -> HttpResponse:
    slo_otel.current_event().set(reason="insufficient_balance")
    return HttpResponse(status=402)


@slo_otel.tag("money")
def tagged(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


@slo_otel.tag("money")
def tagged_too(request: HttpRequest, **captured: object) -> HttpResponse:
    return HttpResponse("ok")


class ByMethod(View):
    """Tagged method by method."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")

    @slo_otel.tag("money")
    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")


@slo_otel.tag("money")
class Tagged(View):
    """Tagged as a whole."""

    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")


def decorated(view: Callable[..., Any]) -> Callable[..., Any]:
    """What a project's own decorator does."""

    @wraps(view)
    async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return await view(request, *args, **kwargs)

    return wrapper


class Inherits(Tagged):
    """Tagged by its base."""


class Desk:
    """Its views are its methods, and what Ninja calls operations is something else here."""

    operations = ("open", "close")

    @slo_otel.tag("money")
    def view(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")

    def untagged(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")
