"""One request through the project, as a server makes it: under WSGI with wsgiref's validator, or under ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from slo_otel.instrumentation import ASGIApp
from tests.instrumentation.asgi_fake import exchange
from tests.integrations.django.project import OURS, asgi, wsgi

Start = Callable[..., Callable[[bytes], object]]
WSGIApp = Callable[[dict[str, Any], Start], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client got, and what the server saw raised."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    raised: BaseException | None = None


def environ(path: str, method: str = "GET", body: bytes = b"", kind: str = "", **extra: object) -> dict[str, Any]:
    """The environ of a request."""
    path, _, query = path.partition("?")
    made: dict[str, Any] = {
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    setup_testing_defaults(made)
    return made | ({"CONTENT_TYPE": kind} if kind else {}) | extra


def ask_wsgi(
    app: WSGIApp, path: str, method: str = "GET", body: bytes = b"", kind: str = "", *, take: int | None = None
) -> Answer:
    """Serve one request; `take` so many parts and then close, as a server does whose client has gone."""
    given: dict[str, Any] = {"status": 0, "headers": {}}

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
        given.update(status=int(status.split(maxsplit=1)[0]), headers=dict(headers))
        return lambda data: None

    parts: list[bytes] = []
    raised: BaseException | None = None
    try:
        result = validator(app)(environ(path, method, body, kind), start)
        try:
            for part in result:
                parts.append(part)
                if take is not None and len(parts) >= take:
                    break
        finally:
            getattr(result, "close", lambda: None)()
    except AssertionError:  # the validator's
        raise
    except BaseException as fault:  # noqa: BLE001 - what the server sees is what is tested
        raised = fault
    return Answer(given["status"], b"".join(parts), given["headers"], raised)


def ask_asgi(
    app: ASGIApp, path: str, method: str = "GET", body: bytes = b"", kind: str = "", **more: Any
) -> Answer:
    """The same under ASGI; `more` goes to `exchange`."""
    headers = [("host", "shop"), *([("content-type", kind)] if kind else [])]
    got = asyncio.run(exchange(app, path, method, headers=headers, body=body, **more))
    status = got.status if got.messages else 0
    found = {name.decode(): value.decode() for name, value in (got.messages[0]["headers"] if got.messages else ())}
    return Answer(status, got.body if got.messages else b"", found, got.raised)


@dataclass(frozen=True, slots=True)
class Door:
    """WSGI or ASGI: builds the project and asks it."""

    name: str

    def build(self, middleware: Iterable[str] = (OURS,), **overrides: object) -> Any:
        """The project with this middleware."""
        return (wsgi if self.name == "wsgi" else asgi)(list(middleware), **overrides)

    def ask(self, app: Any, path: str, method: str = "GET", body: bytes = b"", kind: str = "") -> Answer:
        """One request."""
        return (ask_wsgi if self.name == "wsgi" else ask_asgi)(app, path, method, body, kind)


DOORS = (Door("wsgi"), Door("asgi"))
