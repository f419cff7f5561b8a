"""`tag`: marks a handler with categories for the middleware, and the look-up of the marks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Final, TypeVar

from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation._names import is_name

T = TypeVar("T")

_MARK: Final = "__slo_tags__"


def tag(*names: str) -> Callable[[T], T]:
    """Mark a function, a method, a class-based view or a `partial` with categories; returns the same object.

    Marks add up when stacked, and subclasses inherit those of their view. Raises `ConfigurationError` for what
    cannot carry a mark.
    """
    if not names or not all(map(is_name, names)):
        raise ConfigurationError(f'tag needs names, as in @tag("critical_money_flow"), and got {names!r}')

    def mark(target: T) -> T:
        carrier = getattr(target, "__func__", target)
        try:
            setattr(carrier, _MARK, tuple(dict.fromkeys(_marks(carrier) + names)))
        except (AttributeError, TypeError) as cause:
            raise ConfigurationError(
                f"tag cannot mark {target!r}; put it on a Python function, a view class or a partial"
            ) from cause
        return target

    return mark


def tags_of(endpoint: object, method: str) -> tuple[str, ...]:
    """The names an endpoint was tagged with: those on the handler of `method`, else those on the class or function.

    `method` is the HTTP method; `HEAD` is answered by `get` where a view has no `head`. What `as_view` of Flask and
    Django makes leads to its class.
    """
    view = endpoint if inspect.isclass(endpoint) else getattr(endpoint, "view_class", None)
    if inspect.isclass(view):
        own = () if view is endpoint else _found(endpoint)
        return _of_handler(view, method) or own or _found(view)
    return _found(endpoint)


def _of_handler(view: type, method: str) -> tuple[str, ...]:
    for name in (method.lower(), "get" if method == "HEAD" else ""):
        handler = getattr(view, name, None) if name else None
        if handler is not None:
            return _found(handler)
    return ()


def _found(target: object) -> tuple[str, ...]:
    """The marks on it, or on what a decorator or a `partial` wraps."""
    seen: set[int] = set()
    while target is not None and id(target) not in seen:
        seen.add(id(target))
        marks = _marks(target)
        if marks:
            return marks
        target = target.func if isinstance(target, functools.partial) else getattr(target, "__wrapped__", None)
    return ()


def _marks(target: object) -> tuple[str, ...]:
    marks = getattr(target, _MARK, ())
    return marks if isinstance(marks, tuple) else ()
