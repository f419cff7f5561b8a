"""Who cancelled a request: Django does when its client has left, a server does when it stops.

Both arrive as a `CancelledError`, so Django is observed where it hears of the client: its ASGI handler runs
`listen_for_disconnect` beside every request, and cancels the request when that raises `RequestAborted`. Django 4.2
has none: there nobody but the server cancels.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import wraps
from typing import Any, Final
from weakref import WeakSet

from asgiref.sync import SyncToAsync
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler

_METHOD: Final = "listen_for_disconnect"
_MARK: Final = "__slo_otel_observed__"
_request: Final[ContextVar[Any]] = SyncToAsync.thread_sensitive_context
"""What the handler sets once for a request, before anything else, and what both of its sides see."""
_left: Final[WeakSet[object]] = WeakSet()


def hear() -> None:
    """Hear of the clients that leave from now on. Harmless when done again."""
    original = getattr(ASGIHandler, _METHOD, None)
    if original is None or hasattr(original, _MARK):
        return

    @wraps(original)
    async def listen_for_disconnect(*arguments: Any, **named: Any) -> None:
        try:
            await original(*arguments, **named)
        except RequestAborted:
            if (request := _request.get(None)) is not None:
                _left.add(request)
            raise

    setattr(listen_for_disconnect, _MARK, True)
    setattr(ASGIHandler, _METHOD, listen_for_disconnect)


def client_left() -> bool:
    """Whether the client of the request that is served here has left."""
    request = _request.get(None)
    return request is not None and request in _left
