"""The types of ASGI 3.0, as Starlette and uvicorn spell them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
"""One connection. The protocol types its values, so `Any` here is what every framework writes."""
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

RESPONSE_START = "http.response.start"
RESPONSE_BODY = "http.response.body"
RESPONSE_PATHSEND = "http.response.pathsend"
DISCONNECT = "http.disconnect"
