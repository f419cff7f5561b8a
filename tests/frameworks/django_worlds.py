"""Django under both protocols: its own development server, and uvicorn."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.test import override_settings

from slo_otel import SLOMiddleware, wsgi
from slo_otel.instrumentation import ASGIApp, Receive, Scope, Send, active
from tests.frameworks.asgi_worlds import OnUvicorn
from tests.frameworks.world import DEADLINE_SECONDS, Extractor, Serving, fetch
from tests.instrumentation.asgi_world import running
from tests.integrations.django import project

SERVICE = "tests.frameworks.django_service"


def built(build: Any, measured: int, attributes: Extractor | None) -> Any:
    """The project; the middleware is built where something is configured, and binds to whatever is later."""
    given = {} if attributes is None else {"attributes": attributes}
    with override_settings(SLO_OTEL=given), nullcontext() if active() else running():
        ours = [project.OURS] * bool(measured)
        return build([f"{SERVICE}.by_protocol", *ours, f"{SERVICE}.Known"])


def header(request: Any, name: str) -> str:
    """From Django's own request."""
    value: str = request.headers[name]
    return value


@dataclass(frozen=True)
class UnderWSGI:
    """Behind `runserver`'s server, a thread for each connection."""

    name: str = "django_wsgi"

    def make(self, *, measured: int = 1, attributes: Extractor | None = None) -> Any:
        """In MIDDLEWARE; a second one is the protocol's, around Django."""
        app: Any = built(project.wsgi, measured, attributes)
        return wsgi.SLOMiddleware(app) if measured > 1 else app

    @contextmanager
    def serve(self, app: Any) -> Iterator[Serving]:
        """Silent about the failures that the tests want."""
        for name in ("django.server", "django.request"):
            logging.getLogger(name).disabled = True
        server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
        server.set_app(app)
        server.daemon_threads = False  # `server_close` waits for these
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        port = int(server.server_address[1])

        def interrupt() -> None:
            with suppress(OSError):
                fetch(port, "/waiting")

        try:
            yield Serving(port, interrupt)
        finally:
            server.shutdown()
            thread.join(DEADLINE_SECONDS)
            server.server_close()

    def header(self, request: Any, name: str) -> str:
        """By its name."""
        return header(request, name)


class UnderASGI(OnUvicorn):
    """Behind uvicorn."""

    def make(self, *, measured: int = 1, attributes: Extractor | None = None) -> Any:
        """In MIDDLEWARE; a second one is the protocol's, around Django."""
        app: Any = built(project.asgi, measured, attributes)
        return SLOMiddleware(app) if measured > 1 else living(app)

    def header(self, request: Any, name: str) -> str:
        """By its name."""
        return header(request, name)


def living(app: ASGIApp) -> ASGIApp:
    """With the lifespan that the server asks for and Django has not."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})

    return serve


DJANGO_WSGI = UnderWSGI()
DJANGO_ASGI = UnderASGI("django_asgi", lambda: None)  # type: ignore[arg-type,return-value]  # made by settings
