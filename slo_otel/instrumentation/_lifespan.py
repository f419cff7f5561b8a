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
_ENDS: Final = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"})

Flush = Callable[[float], bool]


async def watch(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, flush: Callable[[], Flush | None]
) -> None:
    """Run the lifespan of `app`; before its last message goes out, run what `flush` gives then, in a thread."""

    async def relay(message: Message) -> None:
        if message["type"] in _ENDS and (found := flush()) is not None:
            await in_thread(found, FLUSH_SECONDS)
        await send(message)

    await app(scope, receive, relay)


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

    threading.Thread(target=work, name="slo_otel-flush", daemon=True).start()
    try:
        await asyncio.wait_for(done.wait(), timeout + _GRACE_SECONDS)
    except TimeoutError:
        logger.warning("slo_otel: the last export is not done after %.1f s; the shutdown goes on", timeout)


def _run(flush: Flush, timeout: float) -> None:
    with guard("the flush at shutdown"):
        flush(timeout)
