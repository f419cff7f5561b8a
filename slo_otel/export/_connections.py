"""Connections that another thread may cut: a thread that waits for an answer wakes up at once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from slo_otel import threads

_current = threading.local()


class Connections:
    """The connections of one session."""

    def __init__(self) -> None:
        self._open: WeakSet[HTTPConnection] = WeakSet()
        self._lock = threads.Lock()

    def session(self) -> requests.Session:
        """A session whose connections are all of these."""
        session = requests.Session()
        for prefix in ("http://", "https://"):
            session.mount(prefix, _Adapter(self))
        return session

    def cut(self) -> None:
        """Shut every connection down. Its file descriptor stays the reader's, who closes it."""
        with self._lock:
            found = list(self._open)
        for connection in found:
            sock = connection.sock
            if isinstance(sock, socket.socket):
                with suppress(OSError):
                    # Not the TLS socket's own shutdown, which changes it under the reader.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close every connection. urllib3 has finalizers for that, which run before us at the interpreter's end."""
        with self._lock:
            found = list(self._open)
        for connection in found:
            connection.close()

    def opened(self, connection: HTTPConnection) -> None:
        """Keep a connection in mind for as long as it exists."""
        with self._lock:
            self._open.add(connection)

    @contextmanager
    def adopting(self) -> Iterator[None]:
        """What this thread connects meanwhile is one of these."""
        _current.connections = self
        try:
            yield
        finally:
            _current.connections = None


def _announce(connection: HTTPConnection) -> None:
    found = getattr(_current, "connections", None)
    if isinstance(found, Connections):
        found.opened(connection)


class _Plain(HTTPConnection):
    def connect(self) -> None:
        _announce(self)
        super().connect()


class _Secure(HTTPSConnection):
    def connect(self) -> None:
        _announce(self)
        super().connect()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


_POOLS: Final = {"http": _PlainPool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """requests' own adapter, with pools of connections that can be cut; proxies of SOCKS have their own."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        with self._connections.adopting():
            return super().send(*args, **kwargs)
