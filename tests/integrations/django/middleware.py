"""Middleware of a project: synchronous, asynchronous, and both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import async_only_middleware, sync_only_middleware
from django.utils.deprecation import MiddlewareMixin

Handler: TypeAlias = Callable[[HttpRequest], HttpResponseBase]
AsyncHandler: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class Answering(MiddlewareMixin):
    """Answers for exceptions."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        return HttpResponse(status=409)


class Replacing(MiddlewareMixin):
    """Replaces every answer."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponse:
        return HttpResponse("sorry")


class Raising(MiddlewareMixin):
    """Fails before the view."""

    def process_request(self, request: HttpRequest) -> None:
        raise KeyError("tenant")


class ByHost(MiddlewareMixin):
    """Another URLconf for some requests, as projects with several hosts do."""

    def process_request(self, request: HttpRequest) -> None:
        if "other" in request.path_info or "other" in request.GET:
            request.urlconf = "tests.integrations.django.urls_other"


class Closed(MiddlewareMixin):
    """Answers before the router."""

    def process_request(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=503)


@sync_only_middleware
def Synchronous(get_response: Handler) -> Handler:  # noqa: N802 - a middleware is named like a class
    """One that is no coroutine."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    return middleware


@async_only_middleware
def Asynchronous(get_response: AsyncHandler) -> AsyncHandler:  # noqa: N802 - named like a class, too
    """One that is nothing else."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        return await get_response(request)

    return middleware
