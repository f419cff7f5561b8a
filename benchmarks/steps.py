"""The middleware of slo_otel, built up in steps: each class does what the one before it does, and one thing more.

For `profile request` alone. Nothing here is complete or safe; the real one is in `slo_otel.instrumentation`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar

from benchmarks.apps import PassThrough
from benchmarks.ours import recorder, request_key
from slo_otel.instrumentation import ASGIApp, Message, Receive, Scope, Send
from slo_otel.recorder import Cell

_perf = time.perf_counter
_open: ContextVar[list[object] | None] = ContextVar("benchmarks.open", default=None)


class Clocks(PassThrough):
    """Reads the clock before and after."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        began = _perf()
        await self.app(scope, receive, send)
        _perf() - began


class Guarded(PassThrough):
    """Sees an exception."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        began = _perf()
        try:
            await self.app(scope, receive, send)
        except BaseException:
            _perf() - began
            raise
        _perf() - began


class Sends(PassThrough):
    """Sees each message go out, and stops the clock at the last one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        known: list[object] = [_perf(), None]

        def wire(message, send=send, known=known):  # type: ignore[no-untyped-def] # annotations are objects too
            kind = message["type"]
            if kind == "http.response.start":
                known[1] = message
            elif kind == "http.response.body" and not message.get("more_body"):
                _perf() - known[0]
            return send(message)

        try:
            await self.app(scope, receive, wire)
        except BaseException:
            _perf()
            raise


async def _heed(receive: Receive, known: list[object]) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        known[1] = message
    return message


class Receives(PassThrough):
    """Sees each message come in too: a client that goes away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        known: list[object] = [_perf(), None]

        def wire(message=None, receive=receive, send=send, known=known):  # type: ignore[no-untyped-def] # types are objects
            if message is None:
                return _heed(receive, known)
            kind = message["type"]
            if kind == "http.response.start":
                known[1] = message
            elif kind == "http.response.body" and not message.get("more_body"):
                _perf() - known[0]
            return send(message)

        try:
            await self.app(scope, wire, wire)
        except BaseException:
            _perf()
            raise


class Framed(PassThrough):
    """Has an open event that `current_event()` would find: a frame in the scope and in a context variable."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        known: list[object] = [_perf(), None, self, _open.get(), scope, None, None, False, False, False, False]
        scope["benchmarks.frame"] = known
        _open.set(known)

        def wire(message=None, receive=receive, send=send, known=known):  # type: ignore[no-untyped-def] # types are objects
            if message is None:
                return _heed(receive, known)
            kind = message["type"]
            if kind == "http.response.start":
                known[1] = message
            elif kind == "http.response.body" and not message.get("more_body"):
                _perf() - known[0]
            return send(message)

        try:
            await self.app(scope, wire, wire)
        except BaseException:
            _perf()
            raise
        known.clear()


class Recorded(PassThrough):
    """Finds the cell by route, method and status, and records."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._registry = recorder()
        self._cell = self._registry.cell(request_key(0))
        self._known: dict[int, dict[str, dict[int, Cell]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        known: list[object] = [_perf(), None, self, _open.get(), scope, None, None, False, False, False, False]
        scope["benchmarks.frame"] = known
        _open.set(known)

        def wire(message=None, receive=receive, send=send, known=known):  # type: ignore[no-untyped-def] # types are objects
            if message is None:
                return _heed(receive, known)
            kind = message["type"]
            if kind == "http.response.start":
                known[1] = message
            elif kind == "http.response.body" and not message.get("more_body"):
                began, started, ours, outer, scope, _, _, first, ended, left, gone = known
                try:
                    cell = ours._known[id(scope["route"])][scope["method"]][started["status"]]
                except KeyError:
                    cell = ours.first(scope, started["status"])
                if not (outer or first or ended or left or gone):
                    if len(cell.pending) >= cell.limit:
                        cell.drain()
                    append = cell.append
                    append(_perf() - began)
            return send(message)

        try:
            await self.app(scope, wire, wire)
        except BaseException:
            _perf()
            raise
        known.clear()

    def first(self, scope: Scope, status: int) -> Cell:
        """The cell of a route's first answer, found at once from then on."""
        self._known[id(scope["route"])] = {scope["method"]: {status: self._cell}}
        return self._cell


STEPS: dict[str, Callable[[ASGIApp], ASGIApp]] = {
    "one more coroutine": PassThrough,
    "two readings of the clock": Clocks,
    "seeing exceptions": Guarded,
    "a wrapped send": Sends,
    "a wrapped receive, a client that goes away": Receives,
    "an open event, found by current_event()": Framed,
    "the cell found, the duration recorded and folded": Recorded,
}
