"""What is noted on a request while it is served: that nobody handled an exception, that its input was refused."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from operator import attrgetter
from typing import Any, Final

from django.core.signals import got_request_exception
from django.http import HttpRequest

from slo_otel.adapters import HttpDoor


def carrier_of(request: HttpRequest) -> MutableMapping[str, Any]:
    """What lives as long as the request, and is the same for everything around Django: the environ or the scope."""
    try:
        carrier: MutableMapping[str, Any] = request.environ  # type: ignore[attr-defined]  # of a WSGIRequest
    except AttributeError:
        carrier = getattr(request, "scope", request.META)
    return carrier


_door: Final = HttpDoor[HttpRequest](target=lambda _: None, method=attrgetter("method"), carrier=carrier_of)
"""One for notes alone: they go to whatever has the request open, which may be a middleware around Django."""

bad_input = _door.bad_input


def listen() -> None:
    """Hear of every exception that Django answers for. Harmless when done again."""
    got_request_exception.connect(_unhandled, dispatch_uid="slo_otel_django")


def _unhandled(sender: object, request: HttpRequest | None = None, **named: object) -> None:
    """Django turns it into an answer before a middleware sees it, but says so while it handles it."""
    fault = sys.exception()
    if request is not None and fault is not None:
        _door.unhandled(request, fault)
