"""Run by tools/wheel.py with the Python of an environment that holds the wheel alone: no extra, no source tree."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import slo_otel
from slo_otel.receive import Receiver

POLICY = """\
version: slo/v1
service: smoke
step: 1s
slos:
  - name: checkout
    sli: {success: http}
    objective: 99%
    window: 1h
"""
ANSWERS = (200, 200, 200, 503)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def shop(scope: Message, receive: Receive, send: Send) -> None:
    """An ASGI application that answers with the status its caller asks for."""
    await send({"type": "http.response.start", "status": scope["wanted"], "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def drive(app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
    """One request for each wanted answer, by hand."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        """Nobody listens."""

    for status in ANSWERS:
        scope: Message = {"type": "http", "method": "POST", "path": "/checkout", "headers": [], "wanted": status}
        await app(scope, receive, send)


def evaluated(handle: slo_otel.Handle) -> str:
    """The state of the SLO once a tick has seen all events; fails when none does."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        status = handle.status().find("checkout")
        if status is not None and (status.tally.good, status.tally.bad) == (3, 1):
            return f"{status.tally.good} good, {status.tally.bad} bad, {status.state}"
        time.sleep(0.1)
    raise AssertionError(handle.status())


def main() -> int:
    """Import, configure, serve, look at the status and at what arrived; 0 when all of it is right."""
    from_tree = Path(__file__).resolve().parent.parent
    assert from_tree not in Path(slo_otel.__file__).parents, "the source tree was imported"
    assert files("slo_otel").joinpath("py.typed").is_file(), "py.typed is not in the wheel"
    assert not [extra for extra in ("typer", "rich", "fastapi") if find_spec(extra)], "an extra is installed"

    with tempfile.TemporaryDirectory() as directory, Receiver() as receiver:
        policy = Path(directory, "slo.yaml")
        policy.write_text(POLICY, encoding="utf-8")
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.endpoint
        handle = slo_otel.configure(policy)
        asyncio.run(drive(slo_otel.SLOMiddleware(shop)))
        counted = evaluated(handle)
        assert handle.shutdown(), "the last export failed"
        arrived = {verdict: receiver.counter("slo.events", slo_verdict=verdict) for verdict in ("good", "bad")}
    assert arrived == {"good": 3, "bad": 1}, arrived
    print(f"checkout: {counted}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
