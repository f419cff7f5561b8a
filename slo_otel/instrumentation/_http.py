"""What every HTTP framework needs of us: how a request went, and which event that makes.

A framework's own part says how the target, the method and the status of a request are found (the abstract methods
of `HttpRequests`); it may record the plain answer of a known route by itself. Everything else ends here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, MutableMapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeAlias, TypeVar, cast

from slo_otel.errors import ConfigurationError, blame, swallow
from slo_otel.instrumentation._classify import classify
from slo_otel.instrumentation._context import GONE, HOLDER, OUTER, SCOPE, Frame, leave
from slo_otel.instrumentation._events import Event, close_event, event_of, take_route_said
from slo_otel.instrumentation._http_targets import FAILED, BoundTarget
from slo_otel.instrumentation._spans import SPAN
from slo_otel.instrumentation._tag import tags_of
from slo_otel.plan import OTHER_METHOD, CellKey, Kind, Outcome

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from slo_otel.instrumentation._active import Active
    from slo_otel.instrumentation._bounds import Scalar
    from slo_otel.recorder import Cell

Carrier: TypeAlias = MutableMapping[str, Any]
"""Where a framework keeps what belongs to one request: an ASGI scope, a WSGI environ."""
Request: TypeAlias = list[Any]
"""The frame of a request (`_context.Frame`), and behind that what is known of its answer, at these places."""
REQUESTS: Final = 5
BEGAN: Final = 6
STARTED: Final = 7
FIRST: Final = 8
ENDED: Final = 9
LEFT: Final = 10

FRAME: Final = "slo_otel.frame"
"""Where a request's carrier has its frame: two of our middlewares around one request see one event."""
INNER: Final = "slo_otel.inner"
"""Where it has what an inner middleware of ours knows of the same request: its `HttpRequests`, and its scope."""
FAULT: Final = "slo_otel.fault"
"""Where it has an exception that nobody handled, while the framework answers for it."""
FAILING: Final = "slo_otel.failing"
"""Where the carrier has an exception that something may answer for before our middleware learns of it."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
"""RFC 9110 section 9 and RFC 5789."""
_STATUSES: Final = range(100, 600)
_INCOMPLETE: Final = "incomplete_response"
_NO_RESPONSE: Final = "no_response"
_SERVER_CANCELLED: Final = "server_cancelled"
_TIMED_OUT: Final = "timeout"

Extractor: TypeAlias = Callable[[Any], "Mapping[str, Scalar]"]
"""The user's callable that says attributes of a request, from what its framework hands over for one."""


def checked(attributes: object, takes: str = "scope") -> Extractor | None:
    """`attributes` itself. Raises `ConfigurationError` where it could say nothing of any request."""
    if attributes is not None and (not callable(attributes) or iscoroutinefunction(attributes)):
        raise ConfigurationError(
            f"attributes= takes a plain function of the {takes}, as in "
            f'attributes=lambda {takes}: {{"tenant": tenant_of({takes})}}; got {attributes!r}'
        )
    return cast("Extractor | None", attributes)


class Course(NamedTuple):
    """How a request went, as the middleware saw it. Times are readings of the runtime's `perf`; False is never."""

    frame: Frame
    scope: Any
    """What the framework hands over for a request."""
    began: float
    started: Any
    """What its answer began with, as the framework's own part keeps it; None before."""
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


def bounded(method: str) -> str:
    """The method, or one name for all that HTTP does not have."""
    return method if method in METHODS else OTHER_METHOD


def valid(status: int) -> int:
    """The status of an answer; one that HTTP does not have is the server's failure."""
    return status if status in _STATUSES else FAILED


def scope_of(frame: Frame) -> Any:
    """What an open request was opened with; nothing when another thread has closed it meanwhile."""
    return next(iter(frame[SCOPE : SCOPE + 1]), {})


Close = TypeVar("Close", bound="Callable[..., None]")


def harmless(close: Close) -> Close:
    """A fault of ours must not become the application's; the event is over all the same."""

    @wraps(close)
    def guarded(self: HttpRequests, course: Course, *rest: BaseException) -> None:
        try:
            close(self, course, *rest)
        except Exception as fault:  # noqa: BLE001 - our fault must not become the host's
            leave(course.frame)
            swallow(fault, self.where)

    return cast("Close", guarded)


class HttpRequests(ABC):
    """The opener of one application's events under one runtime (`_context.Opener`)."""

    __slots__ = ("_active", "_extract", "_traces", "announces", "perf", "plain")

    where: ClassVar[str]
    """What a fault of ours is called in the log."""

    def __init__(self, active: Active, extract: Extractor | None) -> None:
        self._active = active
        self._extract = extract
        self.perf = active.perf
        self.plain = extract is None and active.tap is None
        """Nobody asks for more than a status and a duration."""
        self._traces = active.spans is not None
        self.announces = active.spans is not None and active.spans.announces
        """Somebody reads the spans of requests: `announce` what becomes of one before its span is over."""

    # What the framework's own part says.

    @abstractmethod
    def carrier(self, scope: Any) -> Carrier:
        """The mapping that lives as long as the request."""

    @abstractmethod
    def find(self, scope: Any) -> BoundTarget:
        """Where the request went, as far as routing has happened. Does not raise."""

    @abstractmethod
    def method(self, scope: Any) -> str:
        """The method, bounded."""

    @abstractmethod
    def status(self, started: Any) -> int:
        """The status of an answer as far as it has begun: `FAILED` before that."""

    @abstractmethod
    def is_event_stream(self, started: Any) -> bool:
        """Whether an answer is `text/event-stream`."""

    def kind(self, scope: Any) -> Kind:
        """What kind of event it is."""
        return Kind.HTTP

    def fault_of(self, course: Course, status: int) -> BaseException | None:
        """The exception that an answer stands for: one that nobody handled, where the framework answered for it."""
        if status < FAILED:
            return None
        noted: BaseException | None = self.carrier(course.scope).get(FAULT)
        return noted

    # Called by whoever asks for the event while it is open.

    def open(self, frame: Frame) -> Event:
        """The event of a request, made when somebody asks for it or when it needs one to close."""
        scope = scope_of(frame)
        event = Event(self._active, self.kind(scope), frame=frame, method=self.method(scope))
        event.learn = self._learn
        return event

    def categories(self, frame: Frame) -> frozenset[str]:
        """The categories by route and tag, as far as routing has happened."""
        return self.open(frame).categories()

    def _learn(self, event: Event) -> None:
        scope = scope_of(event.frame)
        if scope:
            _describe(event, self.target(scope))

    def target(self, scope: Any) -> BoundTarget:
        """Where the request went, as the innermost middleware of ours knows it."""
        own = self.find(scope)
        inner = self.carrier(scope).get(INNER)
        return own if inner is None else own.over(inner[0].find(inner[1]))

    def span(self, scope: Any) -> Span | None:
        """The span of the request, where its server's instrumentation started it within ours."""
        found: Span | None = self.carrier(scope).get(SPAN)
        return found

    def announce(self, course: Course, fault: BaseException | None = None) -> None:
        """Write to the request's span what becomes of it, as far as that is known before the span is over.

        `fault` is an exception that is on its way out.
        """
        spans = self._active.spans
        if spans is None or course.frame[HOLDER] is None or (course.started is None and fault is None):
            return
        try:
            fault = fault or self.carrier(course.scope).get(FAILING)
            cell = self._known_cell(course) if fault is None else None
            key = self._active.cells.resolve(self._expected(course, fault)) if cell is None else cell.key
            first = course.first - course.began if course.first else None
            spans.announce(key, cell, self.perf() - course.began, first, self.span(course.scope))
        except Exception as fault:  # noqa: BLE001 - our fault must not become the application's
            swallow(fault, self.where)

    def _known_cell(self, course: Course) -> Cell | None:
        """The cell of an answer that is about to be a plain one, once there was one."""
        status = self.status(course.started)
        if not self._is_plain(course) or self.fault_of(course, status) is not None:
            return None
        return self.target(course.scope).bound(self.method(course.scope), status)

    def _expected(self, course: Course, failing: BaseException | None) -> CellKey:
        """The identity that the event has if nothing more happens; an answer below 500 stands for no exception."""
        holder, status = course.frame[HOLDER], self.status(course.started)
        event = holder if isinstance(holder, Event) else self.open(course.frame)
        if event.learn is not None:
            event.learn(event)
        if self._extract is not None:
            self._add_extracted(event, self._extract)
        fault = self.fault_of(course, status) or (failing if course.started is None or status >= FAILED else None)
        stream = bool(course.first) and self.is_event_stream(course.started)
        return event.key(classify(status, fault)[0])._replace(status=status, event_stream=stream)

    # Called when the request is over.

    @harmless
    def answered(self, course: Course) -> None:
        """The answer is complete, and nothing can come that belongs to it."""
        status, target = self.status(course.started), self.target(course.scope)
        fault = self.fault_of(course, status)
        if fault is not None and not course.left:
            outcome, error_type = classify(None, fault)
            self._close(course, target, outcome, status, error_type)
            return
        plain = self._is_plain(course)
        if plain and (cell := target.bound(self.method(course.scope), status)) is not None:
            leave(course.frame)
            if self._traces:
                self._active.cells.put(cell, cell.key, course.ended - course.began, None, self.span(course.scope))
            else:
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
        return alone and not course.left and not (course.first and self.is_event_stream(course.started))

    @harmless
    def returned(self, course: Course) -> None:
        """The application returned; without a last body message the client got nothing, or a part."""
        if course.ended or course.left:
            self.answered(course)
            return
        target = self.target(course.scope)
        if course.started is None:
            self._close(course, target, Outcome.ERROR, FAILED, _NO_RESPONSE)
        else:
            self._close(course, target, Outcome.EXCEPTION, self.status(course.started), _INCOMPLETE)

    @harmless
    def raised(self, course: Course, fault: BaseException) -> None:
        """The application raised before its answer was complete, or after one of 500 and above."""
        if course.left or (course.ended and not isinstance(fault, Exception)):
            self.answered(course)
            return
        outcome, error_type = self.classified(fault)
        self._close(course, self.target(course.scope), outcome, self.status(course.started), error_type)

    def classified(self, fault: BaseException) -> tuple[Outcome, str | None]:
        """What an exception means that the application raised."""
        return classify(None, fault)

    def after_body(self, fault: BaseException) -> None:
        """Something raised after the answer was complete: the answer stands, the failure is counted apart."""
        if isinstance(fault, Exception):
            self._active.recorder.after_body_errors += 1

    def _close(
        self, course: Course, target: BoundTarget, outcome: Outcome, status: int, error_type: str | None = None
    ) -> Event:
        event = event_of(course.frame)
        event.learn = None
        _describe(event, target)
        self._fill(event, course, outcome, status, error_type)
        if self._traces:
            event.span = self.span(course.scope)
        ended = course.left or course.ended or self.perf()
        first = _first_byte(course)
        close_event(event, outcome, ended - course.began, first - course.began if first else None)
        return event

    def _fill(self, event: Event, course: Course, outcome: Outcome, status: int, error_type: str | None) -> None:
        event.status = None if course.left and not _first_byte(course) else status
        event.event_stream = bool(course.first) and self.is_event_stream(course.started)
        event.error_type = error_type
        if course.left:
            event.client_gone = True
        elif outcome in (Outcome.TIMEOUT, Outcome.CANCELLED):
            event.by_server = True
            event.reason = event.reason or (_TIMED_OUT if outcome is Outcome.TIMEOUT else _SERVER_CANCELLED)
        if self._extract is not None:
            self._add_extracted(event, self._extract)
        take_route_said(event)

    def _add_extracted(self, event: Event, extract: Extractor) -> None:
        """Attributes that the user's callable reads from the scope; what the handler said itself stands."""
        said, reason, operation = dict(event.attributes), event.reason, event.operation
        try:
            event.set(**extract(scope_of(event.frame)))
        except Exception as fault:  # noqa: BLE001 - the user's own callable
            blame(fault, "the attributes callable of SLOMiddleware")
        event.attributes |= said
        event.reason = reason or event.reason
        event.operation = operation or event.operation

    def _bind(self, target: BoundTarget, event: Event, outcome: Outcome) -> None:
        """Hold the cell of a plain answer for the next one."""
        cells = self._active.cells
        cell = cells.find(event.key(outcome))
        if not cell.streamed and event.method is not None and event.status is not None:
            target.bind(event.method, event.status, cell, at_once=cells.inline(cell))


def _describe(event: Event, target: BoundTarget) -> None:
    """What the target says of the event: the template, and the names its handler is tagged with."""
    event.route = target.template
    tags = tags_of(target.endpoint, event.method or "GET")
    event.names += tuple(name for name in tags if name not in event.names)


def _first_byte(course: Course) -> float:
    """When the client got the first byte; 0.0 where it had none, or had gone before: then it knows no status."""
    first = course.first or course.ended
    return 0.0 if course.left and first > course.left else first
