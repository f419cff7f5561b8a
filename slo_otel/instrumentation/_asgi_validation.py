"""FastAPI's own validation error carries the reason `bad_input`, whatever its handler answers.

The handler of `RequestValidationError` is observed where it runs; a 422 that code raises or returns by hand
never passes there, so the two are told apart without looking at the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Final, TypeAlias

from slo_otel.instrumentation._asgi_tree import parts
from slo_otel.instrumentation._http_notes import note_bad_input

Handler: TypeAlias = Callable[[Any, Exception], Any]
"""Starlette's exception handler: sync or async, (connection, error) -> response."""
_OBSERVED: Final = "__slo_otel_observed__"


def observe(app: object) -> None:
    """Note it whenever an application in or below `app` handles FastAPI's validation error.

    Walks wrappers and mounts. Harmless when done twice, and without FastAPI.
    """
    exceptions = sys.modules.get("fastapi.exceptions")
    error = getattr(exceptions, "RequestValidationError", None)
    if error is None:
        return
    for handlers in _handler_maps(app):
        handler = handlers.get(error)
        if handler is not None and not hasattr(handler, _OBSERVED):
            handlers[error] = _observed(handler)


def _handler_maps(app: object) -> Iterator[dict[object, Handler]]:
    """Every map of handlers in the tree: Starlette's own one, and the copy its `ExceptionMiddleware` reads."""
    for each in parts(app):
        for name in ("exception_handlers", "_exception_handlers"):
            if isinstance(handlers := getattr(each, name, None), dict):
                yield handlers


def _observed(handler: Handler) -> Handler:
    call = getattr(handler, "__call__", None)  # noqa: B004 - an object's own `async def __call__` is what is asked
    if iscoroutinefunction(handler) or iscoroutinefunction(call):

        @wraps(handler)
        async def observed(connection: Any, error: Exception) -> Any:
            note_bad_input(connection.scope)
            answer: Awaitable[Any] = handler(connection, error)
            return await answer
    else:

        @wraps(handler)
        def observed(connection: Any, error: Exception) -> Any:
            note_bad_input(connection.scope)
            return handler(connection, error)

    setattr(observed, _OBSERVED, True)
    return observed
