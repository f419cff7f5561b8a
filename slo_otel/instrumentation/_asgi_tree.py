"""The objects an ASGI application is made of: middleware, applications, routers, and what is mounted in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from slo_otel.instrumentation._routes import routes_of

_MOST: Final = 1_000
"""Objects looked at: an application that invents attributes must not keep us for ever."""
_NEXT: Final = ("app", "middleware_stack", "__self__")
"""Where the wrappers of ASGI keep what they wrap; `middleware_stack` is Starlette's, once built. An application may
be a bound method, which stands for its object."""


def below(app: object) -> object | None:
    """What a wrapper wraps; None where nothing is."""
    return getattr(getattr(app, "__self__", app), "app", None)


def parts(app: object) -> Iterator[object]:
    """`app` and every object in or below it, each once, as far as attributes and routes lead today."""
    seen: dict[int, object] = {}
    waiting = [app]
    while waiting and len(seen) < _MOST:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen[id(each)] = each
        yield each
        waiting += [getattr(each, name, None) for name in _NEXT]
        waiting += [_mounted(route) for route in routes_of(each) or ()]


def _mounted(route: object) -> object:
    """The application below a mount or a host, the router of an include; None for a route."""
    if hasattr(route, "routes"):
        return getattr(route, "app", None)
    return getattr(route, "original_router", None)
