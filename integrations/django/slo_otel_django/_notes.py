"""What is noted on a request while it is served: that nobody handled an exception, that its input was refused."""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import Final

from django.core.signals import got_request_exception
from django.http import HttpRequest

from slo_otel.adapters import HttpDoor


def _door(carrier: str) -> HttpDoor[HttpRequest]:
    return HttpDoor(target=lambda _: None, method=attrgetter("method"), carrier=attrgetter(carrier))


_UNDER_WSGI: Final = _door("META")
_UNDER_ASGI: Final = _door("scope")
"""Doors for notes alone: these go to whatever has the request open, which may be a middleware around Django."""


def _doors(request: HttpRequest) -> tuple[HttpDoor[HttpRequest], ...]:
    """Where the frame of a request may be: a middleware that is synchronous under ASGI keeps it in META, too."""
    return (_UNDER_WSGI, _UNDER_ASGI) if hasattr(request, "scope") else (_UNDER_WSGI,)


def bad_input(request: HttpRequest) -> None:
    """A framework's own validation refuses the request."""
    for door in _doors(request):
        door.bad_input(request)


def listen() -> None:
    """Hear of every exception that Django answers for. Harmless when done again."""
    got_request_exception.connect(_unhandled, dispatch_uid="slo_otel_django")


def _unhandled(sender: object, request: HttpRequest | None = None, **named: object) -> None:
    """Django turns it into an answer before a middleware sees it, but says so while it handles it."""
    fault = sys.exception()
    if request is not None and fault is not None:
        for door in _doors(request):
            door.unhandled(request, fault)
