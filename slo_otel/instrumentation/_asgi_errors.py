"""Starlette's `ServerErrorMiddleware`, passed by until something raises.

For every request it wraps `send` in a coroutine, only to know whether an answer has begun when an exception comes.
Our middleware around it knows that too. So requests go straight to what it wraps; an exception goes through one of
its kind, around an application that raises just that.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any, Protocol, cast

from slo_otel.instrumentation._asgi_types import ASGIApp, Message, Receive, Scope, Send


class Wrapper(Protocol):
    """What has an application in it. The attribute is read at each request, since others replace it."""

    app: ASGIApp


class _BegunError(Exception):
    """Ends an answer that nobody is to get."""


def is_server_error(app: object) -> bool:
    """Whether it is Starlette's outermost middleware, or one of its kind."""
    kind = getattr(sys.modules.get("starlette.middleware.errors"), "ServerErrorMiddleware", None)
    return kind is not None and isinstance(app, kind)


def passed_by(app: ASGIApp) -> Wrapper | None:
    """`app` itself where requests may go to `app.app`: a `ServerErrorMiddleware` that nobody has changed."""
    module = sys.modules.get("starlette.middleware.errors")
    kind = getattr(module, "ServerErrorMiddleware", None)
    if kind is None or type(app) is not kind or not {"app", "handler", "debug"} <= vars(app).keys():
        return None
    call = kind.__call__
    # Somebody else's function in its place, as tracing agents put one there, must not be passed by.
    own = isinstance(call, FunctionType) and call.__code__.co_filename == getattr(module, "__file__", None)
    return cast("Wrapper", app) if own else None


async def handled(
    errors: Wrapper, fault: Exception, scope: Scope, receive: Receive, send: Send, *, begun: bool
) -> BaseException:
    """Have `errors` handle an exception, and answer for it unless an answer has begun; what it raises afterwards.

    It calls the user's handler in both cases, and drops what that returns when there is nothing to answer any more.
    """
    dropped = False

    async def raising(scope: Scope, receive: Receive, send: Send) -> None:
        raise fault

    async def drop(message: Message) -> None:
        nonlocal dropped
        dropped = True
        raise _BegunError

    known: Any = errors
    try:
        middleware = type(known)(raising, handler=known.handler, debug=known.debug)
        await middleware(scope, receive, drop if begun else send)
    except BaseException as raised:  # noqa: BLE001 - returned, and the caller raises it
        return fault if dropped else raised
    return fault
