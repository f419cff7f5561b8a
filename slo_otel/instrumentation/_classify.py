"""What happened, from a status and an exception: the outcome table of DESIGN.md 3."""

from __future__ import annotations

import sys

from slo_otel.plan import Outcome

_REJECTED_FROM = 400
_ERROR_FROM = 500


def classify(status: int | None = None, exc: BaseException | None = None) -> tuple[Outcome, str | None]:
    """The outcome and the error type of an event; part of the adapter contract.

    An exception decides before a status, since it may come after the response started. `CancelledError` and
    `GeneratorExit` are `cancelled`; whether the server or the client did it is the event's `by_server`. The error
    type is the qualified name of the exception's class (`ValueError`, `httpx.ReadTimeout`), None for answers.
    """
    if exc is not None:
        cause = root_of(exc)
        return _of_exception(cause), error_type_of(cause)
    if status is None or status < _REJECTED_FROM:
        return Outcome.SUCCESS, None
    return (Outcome.REJECTED if status < _ERROR_FROM else Outcome.ERROR), None


def root_of(exc: BaseException) -> BaseException:
    """The exception itself, or the only one in a group: what a task group made of a single failure."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return exc


def is_cancellation(exc: BaseException) -> bool:
    """Whether it is `asyncio.CancelledError`, without importing asyncio for services that do not."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(exc, asyncio.CancelledError)


def error_type_of(exc: BaseException) -> str:
    """The qualified name of its class; built-in ones without their module."""
    kind = type(exc)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _of_exception(exc: BaseException) -> Outcome:
    if isinstance(exc, TimeoutError):
        return Outcome.TIMEOUT
    if isinstance(exc, GeneratorExit) or is_cancellation(exc):
        return Outcome.CANCELLED
    return Outcome.EXCEPTION
