"""ASGI middleware: times a request to its last body message and says what became of it.

The route is read from the scope after routing. The answer of a known route below 500 costs two clock reads, one
look-up and one append; everything else goes through `Requests`.
"""

from __future__ import annotations

from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation._active import Active, active, register
from slo_otel.instrumentation._asgi_broken import watch_below
from slo_otel.instrumentation._asgi_errors import Wrapper, handled, passed_by
from slo_otel.instrumentation._asgi_requests import Requests, completed, is_gone, raised, unanswered
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
from slo_otel.instrumentation._context import HOLDER, enter, here
from slo_otel.instrumentation._http import (
    ENDED,
    FAULT,
    FIRST,
    FRAME,
    LEFT,
    REQUESTS,
    STARTED,
    Extractor,
    Request,
    checked,
    course,
    left,
)
from slo_otel.instrumentation._lifespan import Flush, watch


async def _body(message: Message, send: Send, frame: Request) -> None:
    """Send a part of the body; the event closes with the last one, if its status is below 500."""
    if len(frame) > LEFT and frame[REQUESTS].announces and not message.get("more_body"):
        frame[REQUESTS].announce(course(frame))
    try:
        await send(message)
    except BaseException as fault:
        if is_gone(fault):
            left(frame)
        raise
    if len(frame) <= LEFT or frame[ENDED] or frame[STARTED] is None:
        return
    now = frame[REQUESTS].perf()
    if not message.get("more_body"):
        frame[ENDED] = now
        completed(frame)
    elif not frame[FIRST] and message.get("body"):
        frame[FIRST] = now


async def _heed(receive: Receive, frame: Request) -> Message:
    """The next message of the client, and that it has gone."""
    message = await receive()
    if message["type"] == DISCONNECT:
        left(frame)
    return message


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
        self._wrapper: Wrapper = passed_by(app) or self
        observe(app)
        watch_below(app)
        register(self)

    def bind(self, active: Active | None) -> None:
        """Belong to another runtime, or to none (then every request passes by)."""
        self._requests = None if active is None else Requests(active, self.app, self._attributes)

    # What an application runs between two requests has emptied the processor's caches, so each instruction and each
    # object here costs several times what it does in a loop. Hence one list; one function that is `receive` as well
    # as `send`, whose defaults stand for cells and whose types are nowhere, since each is an object too; and no
    # coroutine around the start, nor around an answer in one message.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: C901 - a call costs more
        """Serve one connection."""
        requests = self._requests
        if requests is None or scope["type"] != "http" or FRAME in scope:
            await self._serve_other(requests, scope, receive, send)
            return
        perf = requests.perf
        frame: Request = [None, requests, here(), scope, False, requests, perf(), None, False, False, False]
        scope[FRAME] = frame
        enter(frame)

        def wire(message=None, receive=receive, send=send, frame=frame):  # type: ignore[no-untyped-def] # types are objects
            if message is None:
                return _heed(receive, frame)
            kind = message["type"]
            if kind == RESPONSE_START:
                try:  # noqa: SIM105 - costs nothing where nothing is raised
                    frame[STARTED] = message
                except IndexError:  # the event is closed
                    pass
            elif kind == RESPONSE_BODY or kind == RESPONSE_PATHSEND:  # noqa: SIM109 - a tuple costs more
                try:
                    _, holder, outer, scope, _, requests, began, started, first, ended, gone = frame
                    cell = requests.known[id(scope["route"])].cells[scope["method"]][started["status"]]
                except (KeyError, TypeError, ValueError):  # nothing bound to it yet, nothing started, or closed
                    return _body(message, send, frame)
                if holder is not requests or outer or first or ended or gone or message.get("more_body"):
                    return _body(message, send, frame)
                if len(cell.pending) >= cell.limit:
                    cell.drain()
                perf, append = requests.perf, cell.append
                frame[ENDED] = ended = perf()
                frame[HOLDER] = None
                append(ended - began)
            return send(message)

        wrapper = self._wrapper
        app = wrapper.app
        try:
            await app(scope, wire, wire)
        except BaseException as fault:
            if wrapper is self or not isinstance(fault, Exception):
                raised(requests, scope, send, frame, fault)
                raise
            if requests.announces:
                scope[FAULT] = fault
            final = await handled(wrapper, fault, scope, wire, wire, begun=not unanswered(frame))
            raised(requests, scope, send, frame, final)
            raise final  # noqa: B904 - its context is Starlette's
        if len(frame) > LEFT:
            if frame[HOLDER] is None:
                frame.clear()
            else:
                requests.returned(course(frame))

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
