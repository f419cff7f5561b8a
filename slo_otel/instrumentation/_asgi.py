"""ASGI middleware: times a request to its last body message and says what became of it.

The route is read from the scope after routing. The answer of a known route below 500 costs two clock reads, one
look-up and one append; everything else goes through `Requests`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation._active import Active, active, register
from slo_otel.instrumentation._asgi_broken import watch_below
from slo_otel.instrumentation._asgi_requests import (
    FAILED,
    FRAME,
    Course,
    Extractor,
    Requests,
    bound,
    checked,
    is_gone,
)
from slo_otel.instrumentation._asgi_types import (
    DISCONNECT,
    RESPONSE_BODY,
    RESPONSE_PATHSEND,
    RESPONSE_START,
    ASGIApp,
    Message,
    Receive,
    Scope,
    Send,
)
from slo_otel.instrumentation._asgi_validation import observe
from slo_otel.instrumentation._asgi_websocket import connection
from slo_otel.instrumentation._context import ANSWERED, GONE, HOLDER, OUTER, TOKEN, enter, here
from slo_otel.instrumentation._lifespan import Flush, watch

if TYPE_CHECKING:
    from slo_otel.instrumentation._context import Frame
    from slo_otel.recorder import Cell

_BODIES: Final = frozenset({RESPONSE_BODY, RESPONSE_PATHSEND})


class SLOMiddleware:
    """Measures every request of an ASGI application. Pure ASGI: every message is forwarded, unchanged and in order.

    Put it outermost, as the last line of the module (`app = SLOMiddleware(app)`), so that it sees what the client
    sees; `instrument(app)` does that in place for Starlette and FastAPI. Under Starlette's `add_middleware` it
    works too, but where a handler of `Exception` answers, it sees the exception and not that answer.

    `attributes` gives attributes of a request from its scope, read when the request is over: the route's parameters
    and what other middleware put there are in it. One that raises is ignored, counted and logged once.

    Keeps nothing of a request on itself.
    """

    def __init__(self, app: ASGIApp, *, attributes: Extractor | None = None) -> None:
        """Raises `ConfigurationError` for what is no application, and for `attributes` that cannot work."""
        if not callable(app):
            raise ConfigurationError(f"SLOMiddleware takes an ASGI application; got {app!r}")
        self.app = app
        self._attributes = checked(attributes)
        self._requests: Requests | None = None
        observe(app)
        watch_below(app)
        register(self)

    def bind(self, active: Active | None) -> None:
        """Belong to another runtime, or to none (then every request passes by)."""
        self._requests = None if active is None else Requests(active, self.app, self._attributes)

    # Closures over locals, and the record inlined: the cheapest form that was measured (benchmarks/asgi.py).
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: C901 - see above
        """Serve one connection."""
        requests = self._requests
        if requests is None or scope["type"] != "http" or FRAME in scope:
            await self._serve_other(requests, scope, receive, send)
            return
        frame: Frame = [None, requests, here(), scope, False]
        scope[FRAME] = frame
        enter(frame)
        started: Message | None = None
        first = ended = left = 0.0

        async def relay(message: Message) -> None:  # noqa: C901 - see above
            nonlocal started, first, ended, left
            kind = message["type"]
            if kind == RESPONSE_START:
                started = message
            try:
                await send(message)
            except BaseException as fault:
                if not ended and not left and is_gone(fault):
                    left = requests.perf()
                    frame[GONE] = True
                raise
            if kind not in _BODIES or ended or started is None:
                return
            if message.get("more_body"):
                if not first and message.get("body"):
                    first = requests.perf()
                return
            ended = requests.perf()
            target = None
            status = started["status"]
            if status >= FAILED:
                frame[TOKEN] = ANSWERED
                return
            if not first and not left and requests.plain and frame[HOLDER] is requests and not frame[OUTER]:
                cell: Cell | None
                try:
                    cell = requests.table.known[id(scope["route"])].cells[scope["method"]][status]
                except KeyError:
                    target = requests.table.find(scope)
                    cell = bound(target, scope, status)
                if cell is not None:
                    frame.clear()
                    cell.append(ended - began)
                    if len(cell.pending) >= cell.limit:
                        cell.drain()
                    return
            requests.answered(Course(frame, scope, began, started, first, ended, left, target))

        async def heed() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == DISCONNECT and not ended and not left:
                left = requests.perf()
                frame[GONE] = True
            return message

        began = requests.perf()
        try:
            await self.app(scope, heed, relay)
        except BaseException as fault:
            if frame and frame[HOLDER] is not None:
                requests.raised(Course(frame, scope, began, started, first, ended, left), fault)
            else:
                requests.after_body(scope, fault)
            raise
        if frame and frame[HOLDER] is not None:
            requests.returned(Course(frame, scope, began, started, first, ended, left))

    async def _serve_other(self, requests: Requests | None, scope: Scope, receive: Receive, send: Send) -> None:
        """What is no request of ours: no runtime, an outer middleware of ours, a websocket, a lifespan."""
        if scope["type"] == "lifespan" and FRAME not in scope:
            scope[FRAME] = None
            await watch(self.app, scope, receive, send, _flush)
        elif requests is not None and scope["type"] == "websocket" and requests.websockets and FRAME not in scope:
            await connection(requests, self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _flush() -> Flush | None:
    running = active()
    return None if running is None else running.flush
