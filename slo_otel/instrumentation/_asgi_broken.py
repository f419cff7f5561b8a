"""Streams that break below Starlette's `BaseHTTPMiddleware`, which is also what `@app.middleware("http")` makes.

It ends a broken stream with a proper last body message and raises only afterwards, just as if a background task had
failed. So the application below the innermost one of each middleware stack is watched, in mounted applications too:
what it raises before its own last body message is noted on the request before that message goes out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from slo_otel.instrumentation._asgi_requests import note_broken
from slo_otel.instrumentation._asgi_traced import watch_traced
from slo_otel.instrumentation._asgi_tree import below, parts
from slo_otel.instrumentation._asgi_types import RESPONSE_BODY, ASGIApp, Message, Receive, Scope, Send

_MOST: Final = 64
"""Middleware looked through, in case something wraps itself."""
_WATCHED: Final = "__slo_otel_watched__"


class _Below:
    """What the innermost `BaseHTTPMiddleware` wraps."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and note an exception that comes before the last body message."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        complete = False

        async def relay(message: Message) -> None:
            nonlocal complete
            complete = complete or (message["type"] == RESPONSE_BODY and not message.get("more_body"))
            await send(message)

        try:
            await self.app(scope, receive, relay)
        except Exception as fault:
            if not complete:
                note_broken(scope, fault)
            raise


def watch_below(app: object) -> None:
    """Watch every middleware stack in or below `app`, also those that are built at their first request.

    Harmless when done twice.
    """
    _watch_stack(app)
    for each in parts(app):
        stack = getattr(each, "middleware_stack", None)
        if stack is not None:
            _watch_stack(stack)
        elif hasattr(each, "build_middleware_stack"):
            _watch_when_built(each)


def _watch_when_built(application: Any) -> None:
    """Starlette builds its stack lazily, and anew after `add_middleware`."""
    build: Callable[[], ASGIApp] = application.build_middleware_stack
    if hasattr(build, _WATCHED):
        return

    @wraps(build)
    def build_middleware_stack() -> ASGIApp:
        stack = build()
        _watch_stack(stack)
        return stack

    setattr(build_middleware_stack, _WATCHED, build_middleware_stack)
    application.build_middleware_stack = build_middleware_stack


def is_own(found: object, function: object) -> bool:
    """Whether `found` is `function`, or what watches it. `functools.wraps` copies marks: ours names its owner."""
    while found is not function and getattr(found, _WATCHED, None) is found and found is not None:
        found = getattr(found, "__wrapped__", None)
    return found is function


def _watch_stack(stack: object) -> None:
    """Watch what the innermost `BaseHTTPMiddleware` of one stack wraps, and opentelemetry's own."""
    watch_traced(stack)
    kind = getattr(sys.modules.get("starlette.middleware.base"), "BaseHTTPMiddleware", None)
    innermost = None
    for _ in range(_MOST):
        if kind is not None and isinstance(stack, kind):
            innermost = stack
        stack = below(stack)
        if stack is None:
            break
    wrapped = getattr(innermost, "app", None)
    if wrapped is not None and not isinstance(wrapped, _Below):
        setattr(innermost, "app", _Below(wrapped))  # noqa: B010 - an attribute of a class we do not import
