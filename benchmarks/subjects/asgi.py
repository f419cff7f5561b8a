"""What a request pays for the middleware, in microseconds of CPU time over the bare application.

`tight` is an application of two messages without an event loop; `stack` is FastAPI under uvicorn's HTTP protocol
and its tasks, without a network, where caches are as cold as they are in a server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import cast

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from benchmarks.apps import BARE, OURS, PassThrough, Providers, variants
from benchmarks.measure import Effort, Samples, Work, cpu_ns, interleaved, named, over, scaled, warmed
from benchmarks.ours import running
from benchmarks.peers import otel_asgi, otel_sdk
from slo_otel.instrumentation import ASGIApp, Message, Receive, Scope, Send, SLOMiddleware

TIGHT_CALLS = 10_000
STACK_CALLS = 1_000
PEER_SHARE = 5
"""Peers do so many times fewer requests a round: they cost so many times more."""
WARM_UP = 5
QUICK_WARM_UP = 1
REQUEST = b"GET /items/7 HTTP/1.1\r\nhost: shop\r\nuser-agent: bench\r\n\r\n"
SCOPE: Scope = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "server": ("127.0.0.1", 8000),
    "client": ("127.0.0.1", 50000),
    "scheme": "http",
    "method": "GET",
    "root_path": "",
    "path": "/items/7",
    "raw_path": b"/items/7",
    "query_string": b"",
    "headers": [(b"host", b"shop"), (b"user-agent", b"bench")],
}


class TwoMessages:
    """Routes by hand: the scope gets a route, the answer is one body message."""

    def __init__(self) -> None:
        async def endpoint(request: Request) -> Response:
            return PlainTextResponse("ok")

        self.routes = [Route("/items/{item}", endpoint)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200."""
        scope["route"] = self.routes[0]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def _receive() -> Message:
    return {"type": "http.request"}


async def _send(_message: Message) -> None:
    return None


def tight(app: ASGIApp, calls: int) -> Work:
    """Requests one after another, each with a scope of its own."""

    def batch() -> None:
        for _ in range(calls):
            serving = cast("Coroutine[object, None, None]", app(dict(SCOPE), _receive, _send))
            try:  # noqa: SIM105 - a context manager would cost more than what is measured
                serving.send(None)
            except StopIteration:
                pass

    return cpu_ns(batch, calls)


class Transport(asyncio.Transport):
    """A connection that goes nowhere."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Addresses, which uvicorn asks for."""
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def write(self, data: object) -> None:
        """Forget."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing to close."""

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""


def stack(app: ASGIApp, calls: int) -> Work:
    """Requests through uvicorn's protocol, one after another."""
    config = uvicorn.Config(app, http="httptools", access_log=False, log_level="critical", lifespan="off")
    config.load()

    async def serve() -> float:
        protocol = HttpToolsProtocol(config, ServerState(), {}, asyncio.get_running_loop())
        protocol.connection_made(Transport())
        began = time.thread_time_ns()
        for _ in range(calls):
            protocol.data_received(REQUEST)
            while protocol.tasks:  # noqa: ASYNC110 - one pass of the loop is what is measured
                await asyncio.sleep(0)
        return (time.thread_time_ns() - began) / calls

    return lambda: asyncio.run(serve())


def compared(works: dict[str, Work], effort: Effort, tick: Callable[[], object]) -> Samples:
    """Microseconds over the bare application."""
    warmed(works, QUICK_WARM_UP if effort.quick else WARM_UP, tick)
    return scaled(over(interleaved(works, effort.rounds, tick), BARE), 1e-3)


def tight_works() -> dict[str, Work]:
    """The two-message application. The other peers need a framework's application."""
    return {
        BARE: tight(TwoMessages(), TIGHT_CALLS),
        OURS: tight(SLOMiddleware(TwoMessages()), TIGHT_CALLS),
        "pass-through": tight(PassThrough(TwoMessages()), TIGHT_CALLS),
        "otel-asgi metrics": tight(
            otel_asgi.instrumented(TwoMessages(), otel_sdk.in_memory()), TIGHT_CALLS // PEER_SHARE
        ),
    }


def stack_works() -> dict[str, Work]:
    """FastAPI, bare, with ours and with each peer."""
    built = variants(SLOMiddleware, Providers(otel_sdk.in_memory, otel_sdk.traces))
    works = {
        name: stack(build(), STACK_CALLS if name in (BARE, OURS) else STACK_CALLS // PEER_SHARE)
        for name, build in built.items()
    }
    works["pass-through"] = stack(PassThrough(built[BARE]()), STACK_CALLS)
    return works


def measure(effort: Effort) -> Samples:
    """`tight.*` and `stack.*`, microseconds a request."""
    with running() as tick:
        samples = named("tight", compared(tight_works(), effort, tick))
        return samples | named("stack", compared(stack_works(), effort, tick))
