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
        started: Message | None = None

        async def relay(message: Message) -> None:
            nonlocal started
            kind = message["type"]
            if kind == "http.response.start":
                started = message
            await send(message)
            if kind == "http.response.body" and not message.get("more_body"):
                _perf() - began

        began = _perf()
        try:
            await self.app(scope, receive, relay)
        except BaseException:
            _perf() - began
            raise


class Receives(PassThrough):
    """Sees each message come in: a client that goes away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        started: Message | None = None
        left = 0.0

        async def relay(message: Message) -> None:
            nonlocal started, left
            kind = message["type"]
            if kind == "http.response.start":
                started = message
            try:
                await send(message)
            except BaseException:
                left = _perf()
                raise
            if kind == "http.response.body" and not message.get("more_body"):
                _perf() - began

        async def heed() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.disconnect":
                left = _perf()
            return message

        began = _perf()
        try:
            await self.app(scope, heed, relay)
        except BaseException:
            _perf() - began
            raise


class Framed(PassThrough):
    """Has an open event that `current_event()` would find: a frame in the scope and in a context variable."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        frame: list[object] = [None, self, _open.get(), scope, False]
        scope["benchmarks.frame"] = frame
        _open.set(frame)
        started: Message | None = None
        left = 0.0

        async def relay(message: Message) -> None:
            nonlocal started, left
            kind = message["type"]
            if kind == "http.response.start":
                started = message
            try:
                await send(message)
            except BaseException:
                left = _perf()
                raise
            if kind == "http.response.body" and not message.get("more_body"):
                _perf() - began
                frame.clear()

        async def heed() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.disconnect":
                left = _perf()
            return message

        began = _perf()
        try:
            await self.app(scope, heed, relay)
        except BaseException:
            _perf() - began
            raise


class Recorded(PassThrough):
    """Finds the cell by route, method and status, and records."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._registry = recorder()
        self._cell = self._registry.cell(request_key(0))
        self._known: dict[int, dict[str, dict[int, Cell]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        frame: list[object] = [None, self, _open.get(), scope, False]
        scope["benchmarks.frame"] = frame
        _open.set(frame)
        started: Message | None = None
        left = 0.0

        async def relay(message: Message) -> None:
            nonlocal started, left
            kind = message["type"]
            if kind == "http.response.start":
                started = message
            try:
                await send(message)
            except BaseException:
                left = _perf()
                raise
            if kind != "http.response.body" or message.get("more_body") or started is None:
                return
            ended = _perf()
            try:
                cell = self._known[id(scope["route"])][scope["method"]][started["status"]]
            except KeyError:
                cell = self._cell
                self._known[id(scope["route"])] = {scope["method"]: {started["status"]: cell}}
            frame.clear()
            cell.append(ended - began)
            if len(cell.pending) >= cell.limit:
                cell.drain()

        async def heed() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.disconnect":
                left = _perf()
            return message

        began = _perf()
        try:
            await self.app(scope, heed, relay)
        except BaseException:
            _perf() - began
            raise


STEPS: dict[str, Callable[[ASGIApp], ASGIApp]] = {
    "one more coroutine": PassThrough,
    "two readings of the clock": Clocks,
    "seeing exceptions": Guarded,
    "a wrapped send": Sends,
    "a wrapped receive, a client that goes away": Receives,
    "an open event, found by current_event()": Framed,
    "the cell found, the duration recorded and folded": Recorded,
}
