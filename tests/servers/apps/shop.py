"""What the servers of the matrix serve: it answers with its process id, and notes who imported it.

Importing it records one event, so that a worker that inherited its master's counts would be seen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import slo_otel
from slo_otel.wsgi import SLOMiddleware


def note(file: str) -> None:
    """A line with the process id, in one write."""
    with Path(file).open("a", encoding="ascii") as lines:
        lines.write(f"{os.getpid()}\n")


handle = slo_otel.configure("slo.yaml")
with slo_otel.track("boot"):
    note("boots")

Start = Callable[[str, list[tuple[str, str]]], object]


def answer(environ: dict[str, object], start: Start) -> Iterable[bytes]:
    """The process id; `/stuck` is not answered within any test."""
    if environ["PATH_INFO"] == "/stuck":
        note("stuck")
        time.sleep(60)
    body = str(os.getpid()).encode()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


wsgi = SLOMiddleware(answer)


async def pid(request: Request) -> PlainTextResponse:
    """The ASGI application's one answer."""
    return PlainTextResponse(str(os.getpid()))


asgi = handle.instrument(Starlette(routes=[Route("/", pid)]))
