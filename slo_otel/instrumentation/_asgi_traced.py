"""Exceptions on their way through opentelemetry's ASGI middleware, which ends its span before we learn of them.

What it wraps is watched, so that the span says what becomes of the request while that can still be written to it.
Only where an application has that middleware, and nothing but the span changes by it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from slo_otel.instrumentation._asgi_tree import below
from slo_otel.instrumentation._asgi_types import ASGIApp, Receive, Scope, Send
from slo_otel.instrumentation._http import FAILING, LEFT, REQUESTS, course
from slo_otel.instrumentation._http_notes import frame_in

if TYPE_CHECKING:
    from slo_otel.instrumentation._http import Request

_MOST: Final = 64
"""Middleware looked through, in case something wraps itself."""


class _Within:
    """What the middleware wraps, or the `ServerErrorMiddleware` below it, which answers within the span."""

    def __init__(self, app: ASGIApp, *, answered_within: bool) -> None:
        self.app = app
        self._answered_within = answered_within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and tell of an exception."""
        try:
            await self.app(scope, receive, send)
        except Exception as fault:
            self._tell(scope, fault)
            raise

    def _tell(self, scope: Scope, fault: Exception) -> None:
        frame: Request | None = frame_in(scope)
        if frame is None or len(frame) <= LEFT or not frame[REQUESTS].announces:
            return
        if self._answered_within:
            scope[FAILING] = fault
        else:
            frame[REQUESTS].announce(course(frame), fault)


def watch_traced(stack: object) -> None:
    """Watch what opentelemetry's middleware of one stack wraps. Harmless when done twice."""
    traced = _innermost(stack, "opentelemetry.instrumentation.asgi", "OpenTelemetryMiddleware")
    if traced is None:
        return
    answering = _innermost(below(traced), "starlette.middleware.errors", "ServerErrorMiddleware")
    wrapper: Any = traced if answering is None else answering
    if not isinstance(wrapper.app, _Within):
        wrapper.app = _Within(wrapper.app, answered_within=answering is not None)


def _innermost(stack: object | None, module: str, name: str) -> object | None:
    kind = getattr(sys.modules.get(module), name, None)
    found = None
    for _ in range(_MOST):
        if stack is None or kind is None:
            break
        if isinstance(stack, kind):
            found = stack
        stack = below(stack)
    return found
