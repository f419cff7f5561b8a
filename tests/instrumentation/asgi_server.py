"""A real uvicorn on a loopback port, in a thread, and the bare sockets of its clients."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from slo_otel.instrumentation import ASGIApp

DEADLINE_SECONDS = 45.0


def until(condition: Callable[[], bool]) -> None:
    """Poll until `condition` holds; an assertion error when it never does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


class Served:
    """A running server."""

    def __init__(self, app: ASGIApp, http: str, ws: str, grace: int) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=http,
            ws=ws,
            loop="asyncio",
            lifespan="on",
            log_level="critical",
            timeout_graceful_shutdown=grace,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        until(lambda: self._server.started)

    def connect(self) -> socket.socket:
        """A client's connection; closing it is leaving."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_SECONDS)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def ask(self, path: str, method: str = "GET", body: bytes = b"", length: int | None = None) -> socket.socket:
        """Send a request and return the connection without reading; `length` may promise more than `body`."""
        client = self.connect()
        promised = len(body) if length is None else length
        head = f"{method} {path} HTTP/1.1\r\nhost: shop\r\ncontent-length: {promised}\r\nconnection: close\r\n\r\n"
        client.sendall(head.encode() + body)
        return client

    def fetch(self, path: str, method: str = "GET", body: bytes = b"") -> bytes:
        """The whole answer, headers included."""
        with self.ask(path, method, body) as client:
            return read_all(client)

    def terminate(self) -> None:
        """What SIGTERM does, without waiting: the grace, cancel what still runs, the lifespan's end."""
        self._server.should_exit = True

    def stop(self) -> None:
        """Terminate and wait for the end."""
        self.terminate()
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive()


def read_all(client: socket.socket) -> bytes:
    """Until the server closes."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


@contextmanager
def served(app: ASGIApp, http: str = "httptools", *, ws: str = "none", grace: int = 0) -> Iterator[Served]:
    """Serve `app` for the block; `grace` is how many seconds a request may go on after the end was asked for."""
    server = Served(app, http, ws, grace)
    try:
        yield server
    finally:
        server.stop()
