"""A websocket connection as one event, by its close code (RFC 6455 section 7.4), where the policy asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from slo_otel.errors import swallow
from slo_otel.instrumentation._asgi_requests import Requests, is_gone
from slo_otel.instrumentation._asgi_types import ASGIApp, Message, Receive, Scope, Send
from slo_otel.instrumentation._classify import classify
from slo_otel.instrumentation._context import GONE, enter, here
from slo_otel.instrumentation._events import close_event
from slo_otel.instrumentation._http import FRAME, scope_of
from slo_otel.instrumentation._http_targets import FAILED
from slo_otel.instrumentation._spans import SPAN
from slo_otel.plan import Outcome

if TYPE_CHECKING:
    from slo_otel.instrumentation._context import Frame

_DISCONNECT: Final = "websocket.disconnect"
NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012
_DEFINED: Final = range(1000, 1016)
_SUCCESS: Final = frozenset({NORMAL, 1001, NO_STATUS})
_ERROR: Final = frozenset({INTERNAL_ERROR, 1013, 1014})


async def connection(requests: Requests, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a connection and record it when it ends. Messages pass unchanged."""
    frame: Frame = [None, None, here(), scope, False]
    scope[FRAME] = frame
    watcher = _Connection(requests, frame)
    enter(frame)

    async def relay(message: Message) -> None:
        try:
            await send(message)
        except BaseException as fault:
            if is_gone(fault):
                watcher.received({"type": _DISCONNECT, "code": ABNORMAL})
            raise
        watcher.sent(message)

    async def heed() -> Message:
        message = await receive()
        watcher.received(message)
        return message

    try:
        await app(scope, heed, relay)
    except BaseException as fault:
        watcher.close(fault)
        raise
    watcher.close(None)


class _Connection:
    """What is known of one connection. The first end that is seen is the one that counts."""

    def __init__(self, requests: Requests, frame: Frame) -> None:
        self._perf = requests.perf
        self._frame = frame
        self._event = requests.open(frame)
        frame[1] = self._event
        self._accepted = False
        self._status: int | None = None
        self._outcome = Outcome.EXCEPTION
        self._error_type: str | None = None
        self._ended = 0.0
        self._began = self._perf()

    def sent(self, message: Message) -> None:
        """A message of the application."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
        elif kind == "websocket.http.response.start":
            status = message.get("status", FAILED)
            self._end(status, classify(status)[0])
        elif kind == "websocket.close":
            code = message.get("code") or NORMAL
            self._end(code, _outcome(code) if self._accepted else Outcome.REJECTED)

    def received(self, message: Message) -> None:
        """A message of the client, or what the server says of it."""
        if message["type"] == _DISCONNECT:
            code = _bounded(message.get("code") or NO_STATUS)
            self._frame[GONE] = code == ABNORMAL
            self._end(code, _outcome(code))

    def close(self, fault: BaseException | None) -> None:
        """The application returned or raised. A fault of ours must not become the application's."""
        if fault is not None:
            outcome, self._error_type = classify(None, fault)
            self._end(INTERNAL_ERROR, outcome)
        elif not self._ended:
            self._end(ABNORMAL if self._accepted else FAILED, Outcome.EXCEPTION)
        event = self._event
        event.status, event.by_server = self._status, self._status == SERVICE_RESTART
        try:
            if self._error_type is not None and self._outcome not in (Outcome.SUCCESS, Outcome.REJECTED):
                event.error_type = self._error_type
            event.span = scope_of(self._frame).get(SPAN)
            close_event(event, self._outcome, self._ended - self._began)
        except Exception as our_fault:  # noqa: BLE001 - our fault must not become the host's
            swallow(our_fault, "the ASGI middleware")

    def _end(self, status: int, outcome: Outcome) -> None:
        if not self._ended:
            self._status, self._outcome, self._ended = status, outcome, self._perf()


def _outcome(code: int) -> Outcome:
    if code in _SUCCESS:
        return Outcome.SUCCESS
    if code in (ABNORMAL, SERVICE_RESTART):
        return Outcome.CANCELLED
    return Outcome.ERROR if code in _ERROR else Outcome.REJECTED


def _bounded(code: int) -> int:
    """A client may send any code: those of the standard by themselves, one for each range of private ones."""
    if code in _DEFINED:
        return code
    return code // 1000 * 1000 if code in range(3000, 5000) else PROTOCOL_ERROR
