"""What middleware knows of the requests of one WSGI application while one runtime is active, and how they end.

Nothing of an answer is with the client before the first part of its body that is not empty: until then an exception
is a 500, whatever the application had begun (PEP 3333, "The start_response() Callable").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from slo_otel.instrumentation._active import active
from slo_otel.instrumentation._classify import classify, error_type_of
from slo_otel.instrumentation._context import SCOPE
from slo_otel.instrumentation._http import (
    ENDED,
    FIRST,
    FRAME,
    LEFT,
    REQUESTS,
    STARTED,
    Carrier,
    Extractor,
    HttpRequests,
    Request,
    bounded,
    course,
    left,
    valid,
)
from slo_otel.instrumentation._http_targets import FAILED, BoundTarget
from slo_otel.instrumentation._wsgi_routes import RULE, RuleTable
from slo_otel.plan import Outcome

if TYPE_CHECKING:
    from slo_otel.instrumentation._active import Active

Headers: TypeAlias = list[tuple[str, str]]
Started: TypeAlias = tuple[str, Headers, object]
"""What an application began its answer with: `200 OK`, the headers, and where the request went as far as Flask has
said by then: a rule, or the status of an answer that no rule gave."""
_WITHOUT_BODY: Final = frozenset({204, 304})
_AT_ONCE: Final = 0.001
"""Seconds. An answer whose only part came so shortly before its end is none that is judged by its first byte."""


_codes: dict[str, int] = {}
"""The numbers of status lines that there were: parsing one costs several times what the look-up does."""
_MOST_LINES: Final = 1_000
"""Status lines that are remembered, since an application may make them up."""


def _code(line: str) -> int:
    code = valid(int(line[:3]))
    if len(_codes) < _MOST_LINES:
        _codes[line] = code
    return code


class WsgiRequests(HttpRequests):
    """The opener of one WSGI application's events under one runtime."""

    __slots__ = ("known", "table")

    where = "the WSGI middleware"

    def __init__(self, active: Active, app: object, extract: Extractor | None) -> None:
        super().__init__(active, extract)
        self.table = RuleTable(app)
        self.known = self.table.known if self.plain else {}
        """The targets of rules whose plain answers are recorded at once."""

    def carrier(self, scope: Carrier) -> Carrier:
        """The environ itself."""
        return scope

    def find(self, scope: Carrier) -> BoundTarget:
        """From what was noted when the answer began, else from the environ after routing."""
        frame: Request = scope.get(FRAME) or []
        if len(frame) > LEFT and frame[SCOPE] is scope and frame[STARTED] is not None:
            return self.table.of(frame[STARTED][2], scope)
        return self.table.find(scope)

    def method(self, scope: Carrier) -> str:
        """The method, bounded."""
        return bounded(scope.get("REQUEST_METHOD", "GET"))

    def status(self, started: Started | None) -> int:
        """The number that the status line begins with."""
        try:
            return FAILED if started is None else _codes.get(started[0]) or _code(started[0])
        except (TypeError, ValueError):
            return FAILED

    def is_event_stream(self, started: Started | None) -> bool:
        """Whether the headers say so."""
        return (_header(started, "content-type") or "").lower().startswith("text/event-stream")

    def classified(self, fault: BaseException) -> tuple[Outcome, str | None]:
        """What is no `Exception` is the server's way to end a worker: gunicorn's time-out, gevent's kill."""
        if isinstance(fault, Exception):
            return classify(None, fault)
        return Outcome.CANCELLED, error_type_of(fault)


def finished(frame: Request, first: float = 0.0) -> None:
    """The body is complete: the plain answer of a known rule is recorded at once.

    `first` is when its only part that is not empty went out, 0.0 where the body was complete as it was returned.
    """
    try:
        _, holder, outer, environ, _, requests, began, started, several, _, gone = frame
        now = requests.perf()
        status, _, rule = started
        cell = requests.known[id(rule)].cells[environ["REQUEST_METHOD"]][_codes[status]]
    except (KeyError, TypeError, ValueError):  # nothing bound to it yet, nothing started, or closed
        _finished(frame, first)
        return
    if holder is not requests or outer or several or gone or (first and now - first > _AT_ONCE):
        _finished(frame, first)
        return
    append = cell.append
    frame.clear()
    append(now - began)
    if len(cell.pending) >= cell.limit:
        cell.drain()


def _finished(frame: Request, first: float) -> None:
    if len(frame) <= LEFT:
        return
    if frame[STARTED] is not None:
        frame[ENDED] = now = frame[REQUESTS].perf()
        if first and not frame[FIRST] and now - first > _AT_ONCE:
            frame[FIRST] = first
    frame[REQUESTS].returned(course(frame))


def announced(frame: Request) -> int:
    """The Content-Length of an answer, -1 without one; its name as nearly everybody writes it."""
    started: Started | None = frame[STARTED] if len(frame) > LEFT else None
    try:
        for name, value in () if started is None else started[1]:
            if name == "Content-Length" or name == "content-length":
                return int(value)
    except (TypeError, ValueError):  # no headers: the server says so
        pass
    return -1


def several(frame: Request, first: float) -> None:
    """There is a second part: the first one was the beginning of a stream."""
    if len(frame) > LEFT and not frame[FIRST]:
        frame[FIRST] = first


def abandoned(frame: Request, first: float, sent: int) -> None:
    """The server closed the body before its end: somebody left, unless the client had everything already."""
    if len(frame) <= LEFT:
        return
    if _is_complete(frame, sent):
        finished(frame)
        return
    frame[FIRST] = frame[FIRST] or first or False
    left(frame)
    frame[REQUESTS].answered(course(frame))


def raised(frame: Request, fault: BaseException, first: float = 0.0) -> None:
    """The application raised: while it answered, or after that."""
    if len(frame) <= LEFT:
        after_body(fault)
        return
    frame[FIRST] = frame[FIRST] or first or False
    if not frame[FIRST] and frame[STARTED] is not None:
        frame[SCOPE][RULE] = frame[STARTED][2]
        frame[STARTED] = None
    frame[REQUESTS].raised(course(frame), fault)


def after_body(fault: BaseException) -> None:
    """Something raised when the answer was complete: that stands, the failure is counted apart."""
    running = active()
    if running is not None and isinstance(fault, Exception):
        running.recorder.after_body_errors += 1


def written(frame: Request, write: Any, data: bytes) -> None:
    """What an application gets from `start_response` in place of the server's `write`."""
    try:
        write(data)
    except OSError:
        left(frame)
        raise
    if data and len(frame) > LEFT and not frame[FIRST]:
        frame[FIRST] = frame[REQUESTS].perf()


def _is_complete(frame: Request, sent: int) -> bool:
    """Whether there is nothing more to send: an answer without a body, or all of its Content-Length."""
    requests: WsgiRequests = frame[REQUESTS]
    started: Started | None = frame[STARTED]
    if started is None:
        return False
    if frame[SCOPE].get("REQUEST_METHOD") == "HEAD" or requests.status(started) in _WITHOUT_BODY:
        return True
    length = _header(started, "content-length") or ""
    return length.isdecimal() and sent >= int(length)


def _header(started: Started | None, name: str) -> str | None:
    headers = () if started is None else started[1]
    return next((value for key, value in headers if key.lower() == name), None)
