"""A strict WSGI server in memory: it does what PEP 3333 says a server does, and remembers what it saw."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

Start = tuple[str, list[tuple[str, str]]]


@dataclass
class Exchange:
    """One request as the server saw it."""

    start: Start | None = None
    sent: list[bytes] = field(default_factory=list)
    raised: BaseException | None = None
    returned: Any = None
    """The very object that the application returned."""

    @property
    def status(self) -> int:
        """500 where the server had to answer for the application."""
        return 500 if self.start is None or (self.raised and not self.sent) else int(self.start[0][:3])

    @property
    def body(self) -> bytes:
        return b"".join(self.sent)

    @property
    def headers(self) -> dict[str, str]:
        assert self.start is not None
        return {name.lower(): value for name, value in self.start[1]}


@dataclass
class Server:
    """Serves one request at a time. `parts` is how many it sends before the client is gone."""

    parts: int | None = None
    write_fails: BaseException | None = None
    iterate: bool = True
    between: Callable[[], None] = lambda: None
    """Called before each part is asked for."""

    def serve(self, app: WSGIApplication, environ: dict[str, Any]) -> Exchange:
        """All of a request, with `close()` in the end whatever happens."""
        seen = Exchange()
        try:
            seen.returned = body = app(environ, self._start_response(seen))
            try:
                self._send(seen, body)
            finally:
                if hasattr(body, "close"):
                    body.close()
        except AssertionError:  # the validator's, or ours
            raise
        except BaseException as raised:  # noqa: BLE001 - what the server sees is what is tested
            seen.raised = raised
        return seen

    def _start_response(self, seen: Exchange) -> StartResponse:
        def write(data: bytes) -> None:
            if self.write_fails is not None:
                raise self.write_fails
            assert seen.start is not None
            seen.sent.append(data)

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
            if exc_info is not None and any(seen.sent):
                raise exc_info[1].with_traceback(exc_info[2])
            assert seen.start is None or exc_info is not None, "a second start without exc_info"
            seen.start = (status, headers)
            return write

        return start_response

    def _send(self, seen: Exchange, body: Iterable[bytes]) -> None:
        if not self.iterate:
            return
        parts = iter(body)
        while self.parts is None or len(seen.sent) < self.parts:
            self.between()
            try:
                part = next(parts)
            except StopIteration:
                if seen.start is None:
                    raise RuntimeError("no start_response before the end of the body") from None
                return
            seen.sent.append(part)


def environ_of(
    path: str = "/", method: str = "GET", body: bytes = b"", extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The environ of a request."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr}
    setup_testing_defaults(environ)
    environ["SCRIPT_NAME"] = ""
    return environ | dict(extra or {})


def call(
    app: WSGIApplication,
    path: str = "/",
    method: str = "GET",
    *,
    server: Server | None = None,
    body: bytes = b"",
    extra: Mapping[str, Any] | None = None,
) -> Exchange:
    """One request, through the validator of the standard library: what passes it is WSGI as the server sees it."""
    return (server or Server()).serve(validator(app), environ_of(path, method, body, extra))


def call_bare(
    app: WSGIApplication,
    path: str = "/",
    method: str = "GET",
    *,
    server: Server | None = None,
    body: bytes = b"",
    extra: Mapping[str, Any] | None = None,
) -> Exchange:
    """One request without a validator in between, for what it would hide: the very object that was returned."""
    return (server or Server()).serve(app, environ_of(path, method, body, extra))
