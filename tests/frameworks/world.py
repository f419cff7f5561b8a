"""What the suite knows of a framework: how its service is made, measured and served.

To add a framework:
1. Write the service, one route for each line of `SERVICE` below, as the framework's users would.
2. Write a class with the methods of `World`, and add an object of it to `WORLDS` in `worlds.py`.
3. Where the framework cannot do what a case expects, name that in `departures.py`, with what happens instead and
   why. A departure that is none fails.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

SERVICE: Final = {
    "/ok/{id}": "200, tagged `money`",
    "/answer/{code}": "that status, by hand",
    "/boom": "raises ZeroDivisionError",
    "/known": "raises what an exception handler of the service makes a 409",
    "/timeout": "raises TimeoutError",
    "/network": "raises ConnectionResetError, an upstream's",
    "/hand-raised": "422, by the framework's own exception for a status",
    "/validated/{number}": "refuses what is no integer by the framework's own validation",
    "/late": "streams `one`, then raises ZeroDivisionError",
    "/background": "200, then raises ZeroDivisionError when the answer is complete",
    "/stream": "four parts, 50 ms before each",
    "/events": "text/event-stream: two events",
    "/endless": "a part every 5 ms, until the client goes",
    "/polling": "notices that its client has gone and returns, where it can; answers all the same where not",
    "/waiting": "answers after a minute, or is ended by the server: see `Serving.interrupt`",
    "/part/deep/{id}": "200, in a mounted or included part of the service",
}
"""The paths of the service and what each does."""
DEADLINE_SECONDS: Final = 45.0
Extractor = Callable[[Any], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that a real server runs on a loopback port."""

    port: int
    interrupt: Callable[[], None]
    """Have the server end a request to `/waiting` (or what the framework has in its place) while it is served."""


class World(Protocol):
    """One framework on one server."""

    @property
    def name(self) -> str:
        """What tests and departures call it."""

    def make(self, *, measured: int = 1, attributes: Extractor | None = None) -> Any:
        """A fresh service with `measured` middlewares of ours around one another (the second is the server's kind).

        `attributes` is given to the innermost. It binds to whatever runtime is active when a request comes.
        """

    def serve(self, app: Any) -> AbstractContextManager[Serving]:
        """Run a service until the end of the block."""

    def header(self, request: Any, name: str) -> str:
        """A header of what `attributes` is given; the name is in lower case."""


def until(condition: Callable[[], bool]) -> None:
    """Poll until `condition` holds; an assertion error when it never does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def ask(port: int, path: str, method: str = "GET", body: str = "", **headers: str) -> socket.socket:
    """Send a request and return the connection without reading; closing it is leaving."""
    client = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS)
    sent = {"host": "127.0.0.1", "content-length": str(len(body.encode())), "connection": "close"} | headers
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    client.sendall("\r\n".join([*lines, "", body]).encode())
    return client


def fetch(port: int, path: str, method: str = "GET", body: str = "", **headers: str) -> bytes:
    """The whole answer, headers included, up to the end of the connection: the server has done with it then."""
    with ask(port, path, method, body, **headers) as client:
        return read_all(client)


def status_of(answer: bytes) -> int:
    """The status of a whole answer."""
    return int(answer.split(b" ", 2)[1])


def read_all(client: socket.socket) -> bytes:
    """Until the server closes, or resets a connection whose answer it could not complete."""
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
