"""OTLP over HTTP: `POST /v1/metrics`, and what arrived so far as a page and as JSON."""

from __future__ import annotations

import socket
import threading
import zlib
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from slo_otel.receive._arrivals import LIMIT, Answer, Arrivals
from slo_otel.receive._decode import TAKEN
from slo_otel.receive._views import as_json, as_text

__all__ = ["HttpDoor"]

_GZIP_OR_ZLIB: Final = 47
"""zlib's 32 + 15: the header says which of the two it is."""
_STATUSES: Final = {Answer.UNAVAILABLE: 503, Answer.REFUSE: 400}


class HttpDoor:
    """A server on a thread of its own, bound when it is made. Raises `OSError` where the port cannot be had."""

    def __init__(self, host: str, port: int, arrivals: Arrivals) -> None:
        self._server = _Server((host, port), arrivals)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def host(self) -> str:
        """The address it is bound to, in numbers."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """The port it is bound to."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening and end the connections. Idempotent."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], arrivals: Arrivals) -> None:
        super().__init__(address, _Handler)
        self.arrivals = arrivals
        self._open: set[object] = set()

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Serve a connection on a thread of its own."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Forget a connection that ended."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep: a Collector that is gone answers none of them."""
        for request in tuple(self._open):
            if isinstance(request, socket.socket):
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """`POST /v1/metrics` with a protobuf body, plain, gzip or deflate."""
        try:
            body = self._body()
            if self.path != "/v1/metrics":
                return self._answer(404, "text/plain", b"only /v1/metrics\n")
            answer = self.server.arrivals.take(body, _waits)
        except (OSError, ValueError, zlib.error):
            self.close_connection = True  # what was not read of it would be taken for the next request
            return self._answer(400, "text/plain", b"not an OTLP protobuf request\n")
        return self._answer(_STATUSES.get(answer, 200), "application/x-protobuf", TAKEN)

    def do_GET(self) -> None:
        """`/` as text, `/json` as JSON."""
        points = self.server.arrivals.points()
        if self.path == "/json":
            return self._answer(200, "application/json", as_json(points).encode())
        return self._answer(200, "text/plain; charset=utf-8", as_text(points).encode())

    def _body(self) -> bytes:
        """The unpacked body. Raises `ValueError` where its length is not told (chunks) or beyond the limit."""
        size = int(self.headers.get("Content-Length", ""))
        if not 0 <= size <= LIMIT:
            raise ValueError(size)
        return _unpack(self.rfile.read(size), self.headers.get("Content-Encoding", ""))

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: what arrives is asked for by `points`."""


def _waits() -> bool:
    """A client that has gone is not seen before it is answered."""
    return True


def _unpack(body: bytes, encoding: str) -> bytes:
    if encoding not in ("gzip", "deflate"):
        return body
    unpacker = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
    plain = unpacker.decompress(body, LIMIT)
    if not unpacker.eof:
        raise ValueError("truncated, or larger than the limit")
    return plain
