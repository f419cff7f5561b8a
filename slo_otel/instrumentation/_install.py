"""`instrument(app)`: measure a Starlette or FastAPI application in place."""

from __future__ import annotations

import sys
from typing import Final, Protocol, TypeVar, runtime_checkable

from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation._asgi import SLOMiddleware
from slo_otel.instrumentation._asgi_requests import Extractor, checked
from slo_otel.instrumentation._asgi_types import ASGIApp
from slo_otel.instrumentation._asgi_validation import observe

AppT = TypeVar("AppT")
_MARK: Final = "__slo_otel__"


@runtime_checkable
class _Application(Protocol):
    """What we use of Starlette's application, all of it public and older than Starlette 0.13."""

    middleware_stack: ASGIApp | None

    def build_middleware_stack(self) -> ASGIApp: ...


def instrument(app: AppT, *, attributes: Extractor | None = None) -> AppT:
    """Measure every request of `app`, a Starlette or FastAPI application; returns the same object.

    Our middleware becomes the outermost one, around `ServerErrorMiddleware`, so it sees what the client sees.
    Twice is once. `attributes` is that of `SLOMiddleware`. Raises `ConfigurationError` for any other object.
    """
    if isinstance(app, SLOMiddleware):
        return app
    application = _application(app)
    if not hasattr(application.build_middleware_stack, _MARK):
        _wrap(application, checked(attributes))
    return app


def _application(app: object) -> _Application:
    starlette = sys.modules.get("starlette.applications")
    known = getattr(starlette, "Starlette", None)
    if known is not None and isinstance(app, known) and isinstance(app, _Application):
        return app
    given = f"the class {app.__name__}" if isinstance(app, type) else f"a {type(app).__name__}"
    raise ConfigurationError(
        f"instrument() takes a Starlette or FastAPI application, not {given}; "
        f"for another ASGI application write `app = SLOMiddleware(app)` as the last line of its module"
    )


def _wrap(application: _Application, attributes: Extractor | None) -> None:
    build = application.build_middleware_stack

    def around(stack: ASGIApp) -> ASGIApp:
        observe(application)
        # The bound method: calling the object costs a twentieth of what the middleware costs in all.
        return SLOMiddleware(stack, attributes=attributes).__call__

    def build_middleware_stack() -> ASGIApp:
        return around(build())

    setattr(build_middleware_stack, _MARK, True)
    application.build_middleware_stack = build_middleware_stack  # type: ignore[method-assign]  # in place, by design
    if application.middleware_stack is not None:
        application.middleware_stack = around(application.middleware_stack)
