"""The way in for WSGI: Flask applications are wrapped in place, anything else where Werkzeug's client calls it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

import werkzeug.test
from upstream_door import Door, after

import slo_otel
from slo_otel.instrumentation._http import FRAME
from slo_otel.wsgi import SLOMiddleware

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def install(door: Door, handle: slo_otel.Handle) -> None:
    """Before the first test module is imported: it may take `run_wsgi_app` by name."""
    _count_opened(door)
    for name in os.environ["UPSTREAM_APPLICATIONS"].split():
        module, _, attribute = name.partition(":")
        after(getattr(importlib.import_module(module), attribute), handle.instrument)
    _wrap_called()
    door.count_sent(werkzeug.test, "run_wsgi_app")


def _count_opened(door: Door) -> None:
    serve = SLOMiddleware.__call__

    @wraps(serve)
    def counted(self: SLOMiddleware, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        outermost = door.open(environ)
        body = serve(self, environ, start_response)
        if outermost and hasattr(body, "close"):
            door.leave(lambda: not environ.get(FRAME), body.close)
        return body

    setattr(SLOMiddleware, "__call__", counted)  # noqa: B010 - a method, replaced on purpose


def _wrap_called() -> None:
    """What is called as a server does it: by Werkzeug's client, by `Response.from_app`, and by tests themselves."""
    run = werkzeug.test.run_wsgi_app

    @wraps(run)
    def measured(app: WSGIApplication, *args: Any, **kwargs: Any) -> object:
        return run(app if isinstance(app, SLOMiddleware) else SLOMiddleware(app), *args, **kwargs)

    setattr(werkzeug.test, "run_wsgi_app", measured)  # noqa: B010 - a function, replaced on purpose
