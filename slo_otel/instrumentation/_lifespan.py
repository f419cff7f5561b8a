"""The lifespan of an ASGI application, watched: what was recorded leaves before the server is told it may go.

`atexit` alone loses the last interval on every uvicorn deploy (opentelemetry.md 1.4), because uvicorn ends by
re-raising the signal that stopped it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from slo_otel.errors import guard, logger
from slo_otel.instrumentation._asgi_types import ASGIApp, Message, Receive, Scope, Send

FLUSH_SECONDS: Final = 5.0
_GRACE_SECONDS: Final = 1.0
"""How much longer than its own timeout a flush may take before the shutdown goes on without it."""
_TURNS: Final = 100
"""Turns of the loop for requests that the server has just cancelled; below a middleware one takes ten to end."""
_ENDS: Final = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"})

Flush = Callable[[float], bool]


async def watch(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, flush: Callable[[], Flush | None]
) -> None:
    """Run the lifespan of `app`; before its last message goes out, run what `flush` gives then, in a thread.

    An application that has none (it returns or raises before it takes part, as Django does) would never hear of
    the server's end, so one stands in for it. Starlette always has one, and says with `scope["app"]` that it was
    reached: what it raises is a failure, which a server that needs the lifespan must hear of.
    """
    takes_part = False

    async def hear() -> Message:
        nonlocal takes_part
        takes_part = True
        return await receive()

    async def relay(message: Message) -> None:
        nonlocal takes_part
        takes_part = True
        if message["type"] in _ENDS and (found := flush()) is not None:
            await in_thread(found, FLUSH_SECONDS)
        await send(message)

    try:
        await app(scope, hear, relay)
    except Exception:
        if takes_part or "app" in scope or flush() is None:
            raise
    if not takes_part and flush() is not None:
        await _stand_in(receive, relay)


async def _stand_in(receive: Receive, send: Send) -> None:
    """The lifespan of an application that has nothing to start and nothing to end (ASGI, lifespan 2.0)."""
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})


async def in_thread(flush: Flush, timeout: float) -> None:  # noqa: ASYNC109 - it is the flush's own timeout
    """Run `flush(timeout)` off the event loop, and wait no longer than `timeout` seconds and a grace.

    A thread of its own: the loop's executor may be full of the application's calls. Under another event loop
    than asyncio's it runs in place, bounded by its own timeout.
    """
    import asyncio  # 15 ms of `import slo_otel` that services without an event loop need not pay

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _run(flush, timeout)
        return
    done = asyncio.Event()

    def work() -> None:
        try:
            _run(flush, timeout)
        finally:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(done.set)

    for _ in range(_TURNS):
        await asyncio.sleep(0)
    threading.Thread(target=work, name="slo_otel-flush", daemon=True).start()
    try:
        await asyncio.wait_for(done.wait(), timeout + _GRACE_SECONDS)
    except TimeoutError:
        logger.warning("slo_otel: the last export is not done after %.1f s; the shutdown goes on", timeout)


def _run(flush: Flush, timeout: float) -> None:
    with guard("the flush at shutdown"):
        flush(timeout)
