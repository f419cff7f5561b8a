"""Flask on Werkzeug's threaded server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import flask
from werkzeug.serving import make_server

from slo_otel import tag
from slo_otel.instrumentation import instrument
from slo_otel.wsgi import SLOMiddleware
from tests.frameworks.world import DEADLINE_SECONDS, Extractor, Serving, fetch
from tests.instrumentation.asgi_apps import KnownError


def wait(seconds: float) -> None:
    """As a view that waits for something else."""
    threading.Event().wait(seconds)


def flask_service() -> flask.Flask:
    """The service on Flask."""
    app = flask.Flask("service")
    _plain(app)
    _failing(app)
    _streaming(app)
    deep = flask.Blueprint("deep", "deep", url_prefix="/deep")
    deep.add_url_rule("/<id>", "ok", lambda **_: "ok")
    part = flask.Blueprint("part", "part", url_prefix="/part")
    part.register_blueprint(deep)
    app.register_blueprint(part)
    return app


def _plain(app: flask.Flask) -> None:
    app.add_url_rule("/ok/<id>", "ok", tag("money")(lambda **_: "ok"))
    app.add_url_rule("/answer/<int:code>", "answer", lambda code: ("", code))
    app.add_url_rule("/hand-raised", "hand_raised", lambda: flask.abort(422))

    @app.get("/polling")
    def polling() -> str:
        wait(0.2)
        return "nobody reads this"

    @app.get("/background")
    def background() -> flask.Response:
        def fails() -> None:
            raise ZeroDivisionError("in the background")

        answer = flask.make_response("ok")
        answer.call_on_close(fails)
        return answer


def _failing(app: flask.Flask) -> None:
    faults = {
        "/boom": ZeroDivisionError("boom"),
        "/known": KnownError(),
        "/timeout": TimeoutError("the database did not answer"),
        "/network": ConnectionResetError("an upstream, not the client"),
        "/waiting": SystemExit("what gunicorn raises in a worker that is out of time"),
    }

    def view(fault: BaseException) -> Any:
        def fails() -> str:
            raise fault

        return fails

    for path, fault in faults.items():
        app.add_url_rule(path, path.strip("/"), view(fault))
    app.register_error_handler(KnownError, lambda _: ("handled", 409))


def _streaming(app: flask.Flask) -> None:
    def late() -> Iterator[str]:
        yield "one"
        raise ZeroDivisionError("after the start")

    def stream() -> Iterator[str]:
        for _ in range(4):
            wait(0.05)
            yield "chunk"

    def events() -> Iterator[str]:
        yield "data: 1\n\n"
        wait(0.02)
        yield "data: 2\n\n"

    def endless() -> Iterator[str]:
        while True:
            yield "chunk"
            wait(0.005)

    app.add_url_rule("/late", "late", lambda: flask.Response(late()))
    app.add_url_rule("/stream", "stream", lambda: flask.Response(flask.stream_with_context(stream())))
    app.add_url_rule("/events", "events", lambda: flask.Response(events(), mimetype="text/event-stream"))
    app.add_url_rule("/endless", "endless", lambda: flask.Response(endless()))


@dataclass(frozen=True)
class OnWerkzeug:
    """Flask, a thread for each connection."""

    name: str = "flask"

    def make(self, *, measured: int = 1, attributes: Extractor | None = None) -> Any:
        """Instrumented in place; a second one is around it."""
        app: Any = flask_service()
        if measured:
            app = instrument(app, attributes=attributes)
        return SLOMiddleware(app) if measured > 1 else app

    @contextmanager
    def serve(self, app: Any) -> Iterator[Serving]:
        """Werkzeug's server in a thread, silent about the failures that the tests want."""
        logging.getLogger("service").disabled = logging.getLogger("werkzeug").disabled = True
        server = make_server("127.0.0.1", 0, app, threaded=True)
        server.log = lambda *_: None  # type: ignore[method-assign]  # it logs to the root logger too
        server.daemon_threads = False  # type: ignore[attr-defined]  # threaded: `server_close` waits for these
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def interrupt() -> None:
            with suppress(OSError):
                fetch(server.port, "/waiting")

        try:
            yield Serving(server.port, interrupt)
        finally:
            server.shutdown()
            thread.join(DEADLINE_SECONDS)
            server.server_close()

    def header(self, request: Any, name: str) -> str:
        """From the environ, by CGI's name."""
        value: str = request["HTTP_" + name.upper().replace("-", "_")]
        return value


FLASK = OnWerkzeug()
