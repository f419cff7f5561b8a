"""What middleware knows of the requests of one ASGI application while one runtime is active: routes, tags, cells.

The middleware itself is the fast path; everything that is not the plain answer of a known route ends here, and in
the part that every framework shares (`_http`).
"""

from __future__ import annotations

from functools import partial
from traceback import walk_tb
from typing import TYPE_CHECKING, Final, cast

from slo_otel.errors import swallow
from slo_otel.instrumentation._asgi_types import Message, Scope, Send
from slo_otel.instrumentation._context import ANSWERED, HOLDER, TOKEN
from slo_otel.instrumentation._events import event_of
from slo_otel.instrumentation._http import (
    ENDED,
    LEFT,
    REQUESTS,
    STARTED,
    Carrier,
    Course,
    Extractor,
    HttpRequests,
    Request,
    bounded,
    course,
    left,
    scope_of,
    valid,
)
from slo_otel.instrumentation._http_notes import frame_in
from slo_otel.instrumentation._http_targets import FAILED, BoundTarget
from slo_otel.instrumentation._routes import RouteTable
from slo_otel.instrumentation._spans import Looking
from slo_otel.plan import Kind, Outcome

if TYPE_CHECKING:
    from slo_otel.instrumentation._active import Active
    from slo_otel.instrumentation._events import Event
    from slo_otel.recorder import Cell

__all__ = ["BROKEN", "Course", "Requests", "completed", "is_gone", "note_broken", "raised", "unanswered"]

BROKEN: Final = "slo_otel.broken"
"""Where the request's scope carries the exception of an application whose stream was then ended for it."""
_GONE: Final = "ClientDisconnect"
_MOST_CHAINED: Final = 16


def completed(frame: Request) -> None:
    """The last body message left. From 500 on the event is held, since the exception arrives after it."""
    if frame[STARTED]["status"] >= FAILED:
        frame[TOKEN] = ANSWERED
    else:
        frame[REQUESTS].answered(course(frame))


def unanswered(frame: Request) -> bool:
    """Whether no answer has begun."""
    return len(frame) > LEFT and frame[STARTED] is None


def raised(requests: Requests, scope: Scope, send: Send, frame: Request, fault: BaseException) -> None:
    """The application raised: before its answer was complete, or after."""
    failures = _of_sending(send, fault)
    if len(frame) > LEFT and frame[HOLDER] is None and not (failures and requests.reopened(frame)):
        frame.clear()
    if len(frame) <= LEFT:
        if BROKEN not in scope:
            requests.after_body(fault)
        return
    if any(map(is_gone, failures)):
        left(frame)
    requests.raised(course(frame), fault)


def _of_sending(send: Send, fault: BaseException) -> list[BaseException]:
    """What the server's `send` raised, told from what the application raised itself, an `OSError` of its own say.

    The first message, and an answer in one message, are sent without a coroutine of ours around them, so that their
    failure is seen here only. A `send` that is no Python function tells nothing.
    """
    code = _code(send)
    failures: list[BaseException] = []
    chain: BaseException | None = fault
    for _ in range(_MOST_CHAINED):
        if chain is None or code is None:
            break
        if any(at.f_code is code for at, _ in walk_tb(chain.__traceback__)):
            failures.append(chain)
        chain = chain.__cause__ or chain.__context__
    return failures


def _code(send: object) -> object:
    """What runs when a `send` is called: a function, a method, or what a `partial` holds."""
    while isinstance(send, partial):
        send = send.func
    return getattr(getattr(send, "__func__", send), "__code__", None)


class Requests(HttpRequests):
    """The opener of one ASGI application's events under one runtime."""

    __slots__ = ("known", "table", "websockets")

    where = "the ASGI middleware"

    def __init__(self, active: Active, app: object, extract: Extractor | None) -> None:
        super().__init__(active, extract)
        self.table = RouteTable(app)
        self.known = self.table.known if self.plain else {}
        """The targets of routes whose plain answers are recorded at once."""
        self.websockets = any(indicator.websocket for indicator in active.plan.indicators)

    def _bind(self, target: BoundTarget, event: Event, outcome: Outcome) -> None:
        """A traced answer below 500 is recorded at once too, and looked at, unless its span is to be written to."""
        super()._bind(target, event, outcome)
        spans = self._active.spans
        if spans is None or spans.announces or event.method is None or event.status is None:
            return
        held = target.failures.get(event.method, {}).get(event.status)
        if held is not None and event.status < FAILED:
            target.cells.setdefault(event.method, {})[event.status] = cast("Cell", Looking(held, spans))

    def carrier(self, scope: Scope) -> Carrier:
        """The scope itself."""
        return scope

    def find(self, scope: Scope) -> BoundTarget:
        """From the scope, after routing."""
        return self.table.find(scope)

    def method(self, scope: Scope) -> str:
        """The method, bounded; a websocket's handshake is a GET (RFC 6455 section 4.1)."""
        return bounded(scope.get("method", "GET"))

    def status(self, started: Message | None) -> int:
        """The status of the `http.response.start` message."""
        return FAILED if started is None else valid(int(started["status"]))

    def is_event_stream(self, started: Message | None) -> bool:
        """Whether that message says so."""
        headers = () if started is None else started.get("headers", ())
        kinds = (value.lower() for name, value in headers if name.lower() == b"content-type")
        return any(kind.startswith(b"text/event-stream") for kind in kinds)

    def kind(self, scope: Scope) -> Kind:
        """A connection of a websocket, or a request."""
        return Kind.WEBSOCKET if scope.get("type") == "websocket" else Kind.HTTP

    def fault_of(self, course: Course, status: int) -> BaseException | None:
        """Also that of a stream that was ended for its application, whatever the status."""
        broken: BaseException | None = course.scope.get(BROKEN)
        return broken or super().fault_of(course, status)

    # What only ASGI's middleware asks for.

    def reopened(self, frame: Request) -> bool:
        """Take the plain answer of a closed frame back, since it could not be sent.

        Once it is in the totals, or while they are made, it stands; that is counted among the late changes.
        """
        _, _, _, scope, _, _, began, started, _, ended, _ = frame
        cell = self.target(scope).bound(self.method(scope), started["status"])
        if cell is None or not cell.retract(ended - began):
            self._active.recorder.late_changes += 1
            return False
        frame[HOLDER], frame[ENDED] = self, False
        return True


def note_broken(scope: Scope, fault: Exception) -> None:
    """The application failed before its last body message, and something around it will still send one."""
    frame = frame_in(scope)
    if frame is None:
        return
    try:
        event_of(frame)  # a request with an event does not take the fast path
        scope_of(frame)[BROKEN] = fault
    except Exception as ours:  # noqa: BLE001 - the application's own exception goes on, whatever happens here
        swallow(ours, "a broken stream")


def is_gone(fault: BaseException) -> bool:
    """A `send` that fails because nobody is there: `OSError` (ASGI 2.4), or Starlette's own class for it."""
    return isinstance(fault, OSError) or any(kind.__name__ == _GONE for kind in type(fault).__mro__)
