"""`instrument(app)`: measure a Starlette, FastAPI or Flask application in place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation._asgi import SLOMiddleware
from slo_otel.instrumentation._asgi_broken import is_own
from slo_otel.instrumentation._asgi_errors import Wrapper, is_server_error
from slo_otel.instrumentation._asgi_types import ASGIApp, Receive, Scope, Send
from slo_otel.instrumentation._asgi_validation import observe
from slo_otel.instrumentation._flask import is_flask
from slo_otel.instrumentation._http import Extractor, checked
from slo_otel.instrumentation._wsgi import SLOMiddleware as WSGIMiddleware

AppT = TypeVar("AppT")
_MARK: Final = "__slo_otel__"
_MOST_AROUND: Final = 64
"""Middleware around a Flask application that is looked through."""
_Around: TypeAlias = Callable[[ASGIApp], ASGIApp]


@runtime_checkable
class _Application(Protocol):
    """What we use of Starlette's application, all of it public and older than Starlette 0.13."""

    middleware_stack: ASGIApp | None

    def build_middleware_stack(self) -> ASGIApp: ...


def instrument(app: AppT, *, attributes: Extractor | None = None) -> AppT:
    """Measure every request of `app`, a Starlette, FastAPI or Flask application; returns the same object.

    Our middleware becomes the outermost one, around `ServerErrorMiddleware`, so it sees what the client sees.
    Twice is once. `attributes` is that of `SLOMiddleware`. Raises `ConfigurationError` for any other object.
    """
    if isinstance(app, SLOMiddleware | WSGIMiddleware):
        return app
    if is_flask(app):
        _wrap_flask(app, attributes)
        return app
    application = _application(app)
    if not hasattr(application.build_middleware_stack, _MARK):
        _wrap(application, checked(attributes))
    return app


def _application(app: object) -> _Application:
    if _is_starlette(type(app)) and isinstance(app, _Application):
        return app
    given = f"the class {app.__name__}" if isinstance(app, type) else f"a {type(app).__name__}"
    raise ConfigurationError(
        f"instrument() takes a Starlette, FastAPI or Flask application, not {given}; "
        f"for another ASGI application write `app = SLOMiddleware(app)` as the last line of its module, "
        f"for another WSGI application the same with slo_otel.wsgi.SLOMiddleware"
    )


def _is_starlette(kind: type) -> bool:
    """By name: opentelemetry's instrumentation puts a class of its own into Starlette's module, which FastAPI's
    application is not one of.
    """
    return any((each.__module__, each.__name__) == ("starlette.applications", "Starlette") for each in kind.__mro__)


def _wrap_flask(app: Any, attributes: Extractor | None) -> None:
    """Around `wsgi_app`, as Flask's documentation says; middleware that is put there later is outside of ours."""
    inner = app.wsgi_app
    for _ in range(_MOST_AROUND):
        if isinstance(inner, WSGIMiddleware):
            return
        inner = getattr(inner, "app", None) or getattr(inner, "wsgi_app", None)
    app.wsgi_app = WSGIMiddleware(app.wsgi_app, attributes=attributes)


def _wrap(application: _Application, attributes: Extractor | None) -> None:
    build = application.build_middleware_stack

    def around(stack: ASGIApp) -> ASGIApp:
        observe(application)
        return _called(SLOMiddleware(stack, attributes=attributes))

    def build_middleware_stack() -> ASGIApp:
        stack = build()
        if is_own(application.build_middleware_stack, build_middleware_stack) or not is_server_error(stack):
            return around(stack)
        # Somebody else wraps what is built here, and may look for Starlette's own stack (opentelemetry's does).
        wrapper = cast("Wrapper", stack)
        wrapper.app = _Beneath(application, around, SLOMiddleware(wrapper.app, attributes=attributes))
        return stack

    setattr(build_middleware_stack, _MARK, True)
    application.build_middleware_stack = build_middleware_stack  # type: ignore[method-assign]  # in place, by design
    if application.middleware_stack is not None:
        application.middleware_stack = around(application.middleware_stack)


def _called(middleware: SLOMiddleware) -> ASGIApp:
    """Its `__call__`, which costs less than calling the object; `app` leads on, for those who look into stacks."""
    call: Any = partial(SLOMiddleware.__call__, middleware)
    call.app = middleware.app
    return cast("ASGIApp", call)


class _Beneath:
    """Where others put something around the stack after us: the first connection through it takes us outermost.

    That one is measured here, from within. The first connection of an ASGI server is the lifespan, so that every
    request is measured from without.
    """

    def __init__(self, application: _Application, around: _Around, within: SLOMiddleware) -> None:
        self.app = within.app
        self._application = application
        self._around = around
        self._within = within
        self._outermost: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        stack = self._application.middleware_stack
        if stack is not None and stack is self._outermost:
            await self.app(scope, receive, send)
            return
        if stack is not None:
            self._outermost = self._application.middleware_stack = self._around(stack)
        await self._within(scope, receive, send)
