"""Collectors that misbehave, on raw loopback sockets: what they answer, byte for byte, when, or never."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

Behaviour: TypeAlias = Callable[[socket.socket, threading.Event], None]
"""Gets a connection on which a whole request was read, and the event that ends it all."""

TICK = 0.02


def says(status: str, *headers: str, body: bytes = b"") -> Behaviour:
    """Answers with this status, these headers and this body, and keeps the connection."""
    lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", "")
    answer = "\r\n".join(lines).encode() + body
    return lambda connection, _: connection.sendall(answer)


def hangs(_: socket.socket, over: threading.Event) -> None:
    """Never answers."""
    over.wait()


def closes(connection: socket.socket, _: threading.Event) -> None:
    """Closes without an answer."""
    connection.shutdown(socket.SHUT_RDWR)


def resets(connection: socket.socket, _: threading.Event) -> None:
    """Aborts the connection (RST)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionAbortedError


def dribbles(connection: socket.socket, over: threading.Event) -> None:
    """Answers with headers that never end, a byte at a time, always before a reader would lose its patience."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(TICK):
        connection.sendall(b"x")


def dribbles_a_body(connection: socket.socket, over: threading.Event) -> None:
    """Says 200 at once and sends a body of a megabyte, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n")
    while not over.wait(TICK):
        connection.sendall(b"x")


def pours(connection: socket.socket, over: threading.Event) -> None:
    """Says 200 and sends a body without an end as fast as it can."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    while not over.is_set():
        connection.sendall(piece)


def garbles(connection: socket.socket, _: threading.Event) -> None:
    """Answers something that is no HTTP."""
    connection.sendall(b"\x16\x03\x01 what?\r\n\r\n")
    connection.shutdown(socket.SHUT_RDWR)


class Faulty:
    """A Collector that behaves as told, a thread a connection. `behave` may be changed between two requests."""

    def __init__(self, behave: Behaviour, port: int = 0) -> None:
        self.behave = behave
        self.bodies: list[bytes] = []
        """What arrived, oldest first, whatever was answered."""
        self.connections = 0
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = int(self._server.getsockname()[1])
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Faulty:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)
        for connection in self._open:
            _hang_up(connection)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while (size := _announced(stream.readline)) is not None:
                    self.bodies.append(stream.read(size))
                    self.behave(connection, self._over)
        except (OSError, ValueError):
            return


def _announced(readline: Callable[[], bytes]) -> int | None:
    """The length of the body of the request that comes next; None where the connection ended."""
    if not readline():
        return None
    size = 0
    while (line := readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    return size


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
