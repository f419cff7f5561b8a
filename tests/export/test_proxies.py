"""Proxies of the environment: what is sent to the Collector goes through them or past them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from slo_otel.export import ThreadLane
from tests.export.loops import looping, outgoing
from tests.stress.faulty import Faulty, says
from tests.stress.faulty_grpc import GrpcCollector

ACCEPTS = says("200 OK")
VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "grpc_proxy", "no_grpc_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def _flushed(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> bool:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    exports = looping(ThreadLane())
    try:
        return exports.flush(outgoing(1), 30.0)
    finally:
        exports.shutdown(outgoing(1), 0.5)


def test_http_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for an address that we could not even look up."""
    with Faulty(ACCEPTS) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        assert _flushed(monkeypatch, "http://collector.invalid:4318")
        assert len(proxy.bodies) > 0


def test_http_goes_past_a_proxy_that_is_not_for_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `NO_PROXY` says."""
    with Faulty(ACCEPTS) as proxy, Faulty(ACCEPTS) as collector:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert _flushed(monkeypatch, collector.endpoint)
        assert (len(proxy.bodies), len(collector.bodies) > 0) == (0, True)


class Tunnels:
    """A proxy that connects whoever asks by CONNECT, and counts."""

    def __init__(self) -> None:
        self.opened = 0
        self._sockets: list[socket.socket] = []
        self._pipes: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve until the end."""
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        try:
            yield
        finally:
            self._server.shutdown(socket.SHUT_RDWR)
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for pipe in self._pipes:
                pipe.join()
            for each in (self._server, *self._sockets):
                each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._sockets.append(self._server.accept()[0])
                with suppress(OSError):
                    self._connect(self._sockets[-1])

    def _connect(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (piece := client.recv(4096)):
                return
            head += piece
        host, _, port = head.decode().removeprefix("CONNECT ").split(" ", 1)[0].rpartition(":")
        self.opened += 1
        self._sockets.append(server := socket.create_connection((host, int(port))))
        client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        for one, other in ((client, server), (server, client)):
            self._pipes.append(threading.Thread(target=_pipe, args=(one, other)))
            self._pipes[-1].start()


def _pipe(one: socket.socket, other: socket.socket) -> None:
    try:
        while piece := one.recv(65536):
            other.sendall(piece)
        other.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@pytest.mark.parametrize(("past", "tunnels"), [("", 1), ("127.0.0.1", 0)])
def test_grpc_goes_through_a_proxy_or_past_it(monkeypatch: pytest.MonkeyPatch, past: str, tunnels: int) -> None:
    """By a tunnel, unless `no_grpc_proxy` names the host."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    proxy = Tunnels()
    with proxy.running(), GrpcCollector() as collector:
        monkeypatch.setenv("grpc_proxy", proxy.endpoint)
        monkeypatch.setenv("no_grpc_proxy", past)
        assert _flushed(monkeypatch, collector.endpoint)
        assert proxy.opened == tunnels
        assert len(collector.bodies) > 0
