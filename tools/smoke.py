"""Run by tools/wheel.py with the Python of an environment that holds the wheel alone: no extra, no source tree."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

POLICY = """\
version: slo/v1
service: smoke
step: 1s
slos:
  - name: checkout
    sli: {success: POST /checkout}
    objective: 99%
    window: 1h
"""
ANSWERS = (200, 200, 200, 503)


async def shop(scope: dict[str, object], receive: object, send: object) -> None:
    """An ASGI application that answers with the status its caller asks for."""
    assert callable(send)
    await send({"type": "http.response.start", "status": scope["wanted"], "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def drive(app: object) -> None:
    """One request for each wanted answer, by hand."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        """Nobody listens."""

    assert callable(app)
    for status in ANSWERS:
        scope = {"type": "http", "method": "POST", "path": "/checkout", "headers": [], "wanted": status}
        await app(scope, receive, send)


def main() -> int:
    """Import, configure, serve, look at the status and at what arrived; 0 when all of it is right."""
    import slo_otel

    from_tree = Path(__file__).resolve().parent.parent
    assert from_tree not in Path(slo_otel.__file__).parents, "the source tree was imported"
    assert files("slo_otel").joinpath("py.typed").is_file(), "py.typed is not in the wheel"
    assert not [extra for extra in ("typer", "rich", "fastapi") if find_spec(extra)], "an extra is installed"

    from slo_otel.receive import Receiver

    with tempfile.TemporaryDirectory() as directory, Receiver() as receiver:
        policy = Path(directory, "slo.yaml")
        policy.write_text(POLICY, encoding="utf-8")
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.endpoint
        handle = slo_otel.configure(policy)
        asyncio.run(drive(slo_otel.SLOMiddleware(shop)))
        assert handle.shutdown(), "the last export failed"
        arrived = {verdict: receiver.counter("slo.events", slo_verdict=verdict) for verdict in ("good", "bad")}
        status = handle.status().find("checkout")
    assert arrived == {"good": 3, "bad": 1}, arrived
    assert status is not None
    assert (status.tally.good, status.tally.bad) == (3, 1), status
    print(f"checkout: {status.tally.good} good, {status.tally.bad} bad, state {status.state}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
