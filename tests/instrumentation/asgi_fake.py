"""A strict ASGI server in memory: it checks what the protocol says, and remembers every message it got."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from slo_otel.instrumentation import ASGIApp, Message, Scope


@dataclass
class Exchange:
    """One request as the server saw it."""

    messages: list[Message] = field(default_factory=list)
    raised: BaseException | None = None
    started: bool = False
    complete: bool = False

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    def accept(self, message: Message) -> None:
        """Refuse what a server refuses: a body before the start, anything after the end."""
        kind = message["type"]
        assert not self.complete, f"{kind} after the end of the response"
        if kind == "http.response.start":
            assert not self.started, "two starts"
            self.started = True
        elif kind == "http.response.body":
            assert self.started, "a body before the start"
            self.complete = not message.get("more_body", False)
        self.messages.append(message)


def http_scope(path: str, method: str = "GET", headers: Iterable[tuple[str, str]] = (), **extra: Any) -> Scope:
    """The scope of a request, with every required key of the protocol and no optional one."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "state": {},
        **extra,
    }


Tamper = Callable[[Message], Awaitable[None]]


async def exchange(
    app: ASGIApp,
    path: str = "/",
    method: str = "GET",
    *,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    incoming: Iterable[Message] | None = None,
    on_send: Tamper | None = None,
    **extra: Any,
) -> Exchange:
    """Send one request through `app`; after `incoming` the client is silent, as a waiting browser is."""
    result = Exchange()
    request: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    pending = list(request if incoming is None else incoming)

    async def receive() -> Message:
        if pending:
            return pending.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: Message) -> None:
        if on_send is not None:
            await on_send(message)
        result.accept(message)

    try:
        await app(http_scope(path, method, headers, **extra), receive, send)
    except BaseException as raised:  # noqa: BLE001 - what the server sees is what is tested
        result.raised = raised
    return result
