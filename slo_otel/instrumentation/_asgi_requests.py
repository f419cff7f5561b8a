"""What middleware knows of the requests of one application while one runtime is active: routes, tags, cells.

The middleware itself is the fast path; everything that is not the plain answer of a known route ends here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, wraps
from inspect import iscoroutinefunction
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar, cast

from slo_otel.errors import ConfigurationError, blame, swallow
from slo_otel.instrumentation._asgi_types import Message, Scope, Send
from slo_otel.instrumentation._classify import classify
from slo_otel.instrumentation._context import ANSWERED, GONE, HOLDER, OUTER, SCOPE, TOKEN, Frame, leave
from slo_otel.instrumentation._events import Event, close_event, event_of
from slo_otel.instrumentation._routes import RouteTable, Target
from slo_otel.instrumentation._tag import tags_of
from slo_otel.plan import BAD_INPUT, OTHER_METHOD, Kind, Outcome

if TYPE_CHECKING:
    from slo_otel.instrumentation._active import Active
    from slo_otel.instrumentation._bounds import Scalar
    from slo_otel.recorder import Cell

Extractor = Callable[[Scope], "Mapping[str, Scalar]"]

FRAME: Final = "slo_otel.frame"
"""Where a request's scope carries its frame: two of our middlewares around one request see one event."""
BROKEN: Final = "slo_otel.broken"
"""Where the request's scope carries the exception of an application whose stream was then ended for it."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
"""RFC 9110 section 9 and RFC 5789."""
FAILED: Final = 500
_STATUSES: Final = range(100, 600)
_GONE: Final = "ClientDisconnect"
_MOST_CHAINED: Final = 16
_INCOMPLETE: Final = "incomplete_response"
_NO_RESPONSE: Final = "no_response"
_SERVER_CANCELLED: Final = "server_cancelled"
_TIMED_OUT: Final = "timeout"


def checked(attributes: object) -> Extractor | None:
    """`attributes` itself. Raises `ConfigurationError` where it could say nothing of any request."""
    if attributes is not None and (not callable(attributes) or iscoroutinefunction(attributes)):
        raise ConfigurationError(
            "attributes= takes a plain function of the scope, as in "
            f'attributes=lambda scope: {{"tenant": tenant_of(scope)}}; got {attributes!r}'
        )
    return cast("Extractor | None", attributes)


Request: TypeAlias = list[Any]
"""The frame of a request (`_context.Frame`), and behind that what the middleware sees of it, at these places."""
REQUESTS: Final = 5
STARTED: Final = 7
FIRST: Final = 8
ENDED: Final = 9
LEFT: Final = 10


class Course(NamedTuple):
    """How a request went, as the middleware saw it. Times are readings of the runtime's `perf`; False is never."""

    frame: Frame
    scope: Scope
    began: float
    started: Message | None
    """The `http.response.start` message."""
    first: float
    """The first body message of several: an answer in one message has none."""
    ended: float
    """The last body message."""
    left: float
    """The client is known to have gone."""


def course(frame: Request) -> Course:
    """How the request of an open frame has gone."""
    _, _, _, scope, _, _, began, started, first, ended, left_at = frame
    return Course(frame, scope, began, started, first, ended, left_at)


def left(frame: Request) -> None:
    """The client of a request is known to have gone; once its answer is complete, that changes nothing."""
    if len(frame) > LEFT and not frame[ENDED] and not frame[LEFT]:
        frame[LEFT] = frame[REQUESTS].perf()
        frame[GONE] = True


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
        requests.after_body(scope, fault)
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


Close = TypeVar("Close", bound="Callable[..., None]")


def _harmless(close: Close) -> Close:
    """A fault of ours must not become the application's; the event is over all the same."""

    @wraps(close)
    def guarded(self: Requests, course: Course, *rest: BaseException) -> None:
        try:
            close(self, course, *rest)
        except Exception as fault:  # noqa: BLE001 - our fault must not become the host's
            leave(course.frame)
            swallow(fault, "the ASGI middleware")

    return cast("Close", guarded)


class Requests:
    """The opener of one application's events under one runtime (`_context.Opener`)."""

    __slots__ = ("_active", "_extract", "known", "perf", "plain", "table", "websockets")

    def __init__(self, active: Active, app: object, extract: Extractor | None) -> None:
        self._active = active
        self._extract = extract
        self.perf = active.perf
        self.table = RouteTable(app)
        self.plain = extract is None and active.tap is None
        """Nobody asks for more than a status and a duration."""
        self.known = self.table.known if self.plain else {}
        """The targets of routes whose plain answers are recorded at once."""
        self.websockets = any(indicator.websocket for indicator in active.plan.indicators)

    # Called by whoever asks for the event while it is open.

    def open(self, frame: Frame) -> Event:
        """The event of a request, made when somebody asks for it or when it needs one to close."""
        scope = _scope_of(frame)
        kind = Kind.WEBSOCKET if scope.get("type") == "websocket" else Kind.HTTP
        event = Event(self._active, kind, frame=frame, method=_method(scope))
        event.learn = self._learn
        return event

    def categories(self, frame: Frame) -> frozenset[str]:
        """The categories by route and tag, as far as routing has happened."""
        return self.open(frame).categories()

    def _learn(self, event: Event) -> None:
        scope = _scope_of(event.frame)
        if scope:
            _describe(event, self.table.find(scope))

    # Called by the middleware when the request is over.

    def reopened(self, frame: Request) -> bool:
        """Take the plain answer of a closed frame back, since it could not be sent.

        Once it is in the totals, or while they are made, it stands; that is counted among the late changes.
        """
        _, _, _, scope, _, _, began, started, _, ended, _ = frame
        cell = _bound(self.table.find(scope), scope, started["status"])
        if cell is None or not cell.retract(ended - began):
            self._active.recorder.late_changes += 1
            return False
        frame[HOLDER], frame[ENDED] = self, False
        return True

    @_harmless
    def answered(self, course: Course) -> None:
        """The last body message left, or a status of 500 and above was held until the application returned."""
        status, target = _status(course.started), self.table.find(course.scope)
        broken = course.scope.get(BROKEN)
        if broken is not None and not course.left:
            outcome, error_type = classify(None, broken)
            self._close(course, target, outcome, status, error_type)
            return
        plain = self._is_plain(course)
        if plain and (cell := _bound(target, course.scope, status)) is not None:
            leave(course.frame)
            cell.record(course.ended - course.began)
            return
        outcome = Outcome.CANCELLED if course.left else classify(status)[0]
        event = self._close(course, target, outcome, status)
        if plain:
            self._bind(target, event, outcome)

    def _is_plain(self, course: Course) -> bool:
        """Whether a status and a duration are all there is: nobody asked for the event or wants its first byte."""
        frame = course.frame
        alone = self.plain and frame[HOLDER] is self and not frame[OUTER]
        return alone and not course.left and not (course.first and _is_event_stream(course.started))

    @_harmless
    def returned(self, course: Course) -> None:
        """The application returned; without a last body message the client got nothing, or a part."""
        if course.ended or course.left:
            self.answered(course)
            return
        target = self.table.find(course.scope)
        if course.started is None:
            self._close(course, target, Outcome.ERROR, FAILED, _NO_RESPONSE)
        else:
            self._close(course, target, Outcome.EXCEPTION, _status(course.started), _INCOMPLETE)

    @_harmless
    def raised(self, course: Course, fault: BaseException) -> None:
        """The application raised before its answer was complete, or after one of 500 and above."""
        if course.left or (course.ended and not isinstance(fault, Exception)):
            self.answered(course)
            return
        outcome, error_type = classify(None, fault)
        self._close(course, self.table.find(course.scope), outcome, _status(course.started), error_type)

    def after_body(self, scope: Scope, fault: BaseException) -> None:
        """A background task raised: the answer stands, the failure is counted apart."""
        if isinstance(fault, Exception) and BROKEN not in scope:
            self._active.recorder.after_body_errors += 1

    def _close(
        self, course: Course, target: Target, outcome: Outcome, status: int, error_type: str | None = None
    ) -> Event:
        event = event_of(course.frame)
        event.learn = None
        _describe(event, target)
        self._fill(event, course, outcome, status, error_type)
        ended = course.left or course.ended or self.perf()
        first = _first_byte(course)
        close_event(event, outcome, ended - course.began, first - course.began if first else None)
        return event

    def _fill(self, event: Event, course: Course, outcome: Outcome, status: int, error_type: str | None) -> None:
        event.status = None if course.left and not _first_byte(course) else status
        event.event_stream = bool(course.first) and _is_event_stream(course.started)
        event.error_type = error_type
        if course.left:
            event.client_gone = True
        elif outcome in (Outcome.TIMEOUT, Outcome.CANCELLED):
            event.by_server = True
            event.reason = event.reason or (_TIMED_OUT if outcome is Outcome.TIMEOUT else _SERVER_CANCELLED)
        if self._extract is not None:
            self._add_extracted(event, self._extract)

    def _add_extracted(self, event: Event, extract: Extractor) -> None:
        """Attributes that the user's callable reads from the scope; what the handler said itself stands."""
        said, reason, operation = dict(event.attributes), event.reason, event.operation
        try:
            event.set(**extract(_scope_of(event.frame)))
        except Exception as fault:  # noqa: BLE001 - the user's own callable
            blame(fault, "the attributes callable of SLOMiddleware")
        event.attributes |= said
        event.reason = reason or event.reason
        event.operation = operation or event.operation

    def _bind(self, target: Target, event: Event, outcome: Outcome) -> None:
        """Hold the cell of (target, method, status): the application bounds the first, the protocol the others."""
        cell = self._active.cells.find(event.key(outcome))
        if not cell.streamed and event.method is not None and event.status is not None:
            cells = target.cells if event.status < FAILED else target.failures
            cells.setdefault(event.method, {})[event.status] = cell


def _bound(target: Target, scope: Scope, status: int) -> Cell | None:
    cells = target.cells if status < FAILED else target.failures
    return cells.get(_method(scope), {}).get(status)


def _describe(event: Event, target: Target) -> None:
    """What the target says of the event: the template, and the names its handler is tagged with."""
    event.route = target.template
    tags = tags_of(target.endpoint, event.method or "GET")
    event.names += tuple(name for name in tags if name not in event.names)


def note_bad_input(scope: Scope) -> None:
    """The framework refuses the request by its own validation: unless code said why, the reason is `bad_input`."""
    frame: Frame | None = scope.get(FRAME)
    if not frame or frame[HOLDER] is None:
        return
    try:
        event = event_of(frame)
        event.reason = event.reason or BAD_INPUT
    except Exception as fault:  # noqa: BLE001 - the user's error handler runs next, whatever happens here
        swallow(fault, "the reason bad_input")


def note_broken(scope: Scope, fault: Exception) -> None:
    """The application failed before its last body message, and something around it will still send one."""
    frame: Frame | None = scope.get(FRAME)
    if not frame or frame[HOLDER] is None:
        return
    try:
        event_of(frame)  # a request with an event does not take the fast path
        _scope_of(frame)[BROKEN] = fault
    except Exception as ours:  # noqa: BLE001 - the application's own exception goes on, whatever happens here
        swallow(ours, "a broken stream")


def is_gone(fault: BaseException) -> bool:
    """A `send` that fails because nobody is there: `OSError` (ASGI 2.4), or Starlette's own class for it."""
    return isinstance(fault, OSError) or any(kind.__name__ == _GONE for kind in type(fault).__mro__)


def _scope_of(frame: Frame) -> Scope:
    """The scope of an open request; nothing when another thread has closed it meanwhile."""
    return cast("Scope", next(iter(frame[SCOPE : SCOPE + 1]), {}))


def _method(scope: Scope) -> str:
    """The method, bounded; a websocket's handshake is a GET (RFC 6455 section 4.1)."""
    method: str = scope.get("method", "GET")
    return method if method in METHODS else OTHER_METHOD


def _status(started: Message | None) -> int:
    """The status of the answer; one that HTTP does not have is the server's failure."""
    status = FAILED if started is None else int(started["status"])
    return status if status in _STATUSES else FAILED


def _first_byte(course: Course) -> float:
    """When the client got the first byte; 0.0 where it had none, or had gone before: then it knows no status."""
    first = course.first or course.ended
    return 0.0 if course.left and first > course.left else first


def _is_event_stream(started: Message | None) -> bool:
    headers = () if started is None else started.get("headers", ())
    kinds = (value.lower() for name, value in headers if name.lower() == b"content-type")
    return any(kind.startswith(b"text/event-stream") for kind in kinds)
