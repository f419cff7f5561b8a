"""The middleware of slo-otel-django, built up in steps: each does what the one before it does, and one thing more.

For `profile django` alone, each named in MIDDLEWARE. Nothing here is complete or safe; the real one is in
`slo_otel_django`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from operator import attrgetter
from typing import Final, TypeAlias

from django.http import HttpRequest, HttpResponse

from benchmarks.ours import recorder, request_key
from slo_otel.recorder import Cell

Handler: TypeAlias = Callable[[HttpRequest], HttpResponse]

_perf = time.perf_counter
_open: ContextVar[list[object] | None] = ContextVar("benchmarks.open", default=None)
_meta = attrgetter("META")
_method = attrgetter("method")


def passing(get_response: Handler) -> Handler:
    """One more function, and Django's own around it that turns exceptions into answers."""

    def serve(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    return serve


def clocks(get_response: Handler) -> Handler:
    """Reads the clock before and after."""

    def serve(request: HttpRequest) -> HttpResponse:
        began = _perf()
        answer = get_response(request)
        _perf() - began
        return answer

    return serve


def framed(get_response: Handler) -> Handler:
    """Has an open event that `current_event()` would find: a frame in META and in a context variable."""

    def serve(request: HttpRequest) -> HttpResponse:
        known: list[object] = [_perf(), None, _open.get(), request, None, None, False, False, False, False, False]
        _meta(request).setdefault("benchmarks.frame", known)
        _open.set(known)
        answer = get_response(request)
        _perf()
        known.clear()
        return answer

    return serve


def recorded(get_response: Handler) -> Handler:
    """Finds the cell by route, method and status, and records."""
    cell = recorder().cell(request_key(0))
    by_route: dict[str, dict[str, dict[int, Cell]]] = {}

    def serve(request: HttpRequest) -> HttpResponse:
        began = _perf()
        known: list[object] = [began, None, _open.get(), request, None, None, False, False, False, False, False]
        _meta(request).setdefault("benchmarks.frame", known)
        _open.set(known)
        answer = get_response(request)
        found = by_route.setdefault(route_of(request), {_method(request): {200: cell}})
        at = found[_method(request)][answer.status_code]
        known.clear()
        at.append(_perf() - began)
        if len(at.pending) >= at.limit:
            at.drain()
        return answer

    return serve


def route_of(request: HttpRequest) -> str:
    """What Django's resolver left."""
    match = request.resolver_match
    return "" if match is None else match.route


STEPS: Final[dict[str, str]] = {
    "one more middleware, and what Django puts around it": "benchmarks.django_steps.passing",
    "two readings of the clock": "benchmarks.django_steps.clocks",
    "an open event, found by current_event()": "benchmarks.django_steps.framed",
    "the cell found, the duration recorded and folded": "benchmarks.django_steps.recorded",
}
