"""Random traffic for both frameworks, and what happened of it by DESIGN.md 3, written down beside what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter, FastAPI
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from slo_otel import count, current_event, tag, track
from slo_otel.instrumentation import Message, Receive, Scope, Send
from slo_otel.testing import ManualClock
from tests.instrumentation.asgi_fake import http_scope

TICK = 1 / 64
"""Every time is a multiple of it, hence exact in binary and in nanoseconds."""


class ModelError(Exception):
    """Declared bad."""


class UserCancelledError(Exception):
    """Declared excluded."""


FAULTS: dict[str, type[Exception]] = {
    "fails": ModelError,
    "quits": UserCancelledError,
    "breaks": KeyError,
    "times out": TimeoutError,
    "has no quota": KeyError,
}
PLACES = {
    # where it is sent: method, path, template, what code or policy calls it
    "spend": ("POST", "/wallet/spend", "/wallet/spend", ("money",)),
    "chat": ("POST", "/chat", "/chat", ("ai",)),
    "hook": ("GET", "/hook/7", "/hook/{number}", ("webhook",)),
    "paid hook": ("GET", "/paid/7", "/paid/{number}", ("money", "webhook")),
    "orders": ("GET", "/shop/acme/orders/7", "/shop/{tenant}/orders/{number}", ()),
    "health": ("GET", "/health", "/health", ("health",)),
    "item": ("GET", "/api/items/x", "/api/items/{item}", ()),
    "nowhere": ("GET", "/no/where", "unmatched", ()),
    "method": ("DELETE", "/health", "/health", ()),
    "strange": ("BREW", "/no/where", "unmatched", ()),
}
_UNHANDLED = {"item": 422, "nowhere": 404, "method": 405, "strange": 404}
"""Answered by the framework; no handler of ours runs."""


@dataclass(frozen=True)
class Call:
    """An inner call of the category `ai`."""

    operation: str
    ending: str
    seconds: float


@dataclass(frozen=True)
class Script:
    """One request: where it goes, what its handler does in this order, and how it ends."""

    place: str
    said: tuple[tuple[str, str], ...]
    calls: tuple[Call, ...]
    counts: tuple[tuple[str, int, tuple[tuple[str, str], ...]], ...]
    word: tuple[str, str | None] | None
    seconds: float
    end: str
    """One of `_ENDS`, or `background`: an answer whose background task fails."""
    status: int
    media_type: str
    gap: float
    """Between the two chunks of a stream."""


@dataclass(frozen=True)
class Fact:
    """One event after nesting, by the outcome table. Times in seconds."""

    kind: str
    names: frozenset[str]
    outcome: str
    duration: float = 0.0
    first_byte: float | None = None
    method: str | None = None
    route: str | None = None
    status: int | None = None
    by_server: bool = False
    overrule: str | None = None
    reason: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    event_stream: bool = False
    inner_bad: frozenset[str] = frozenset()
    """How inner calls of the category `ai` failed without a later success of their operation."""
    inside: bool = False
    """An inner call of a request of its category: only its operation is left to count."""


_SECONDS = st.sampled_from([0.0, TICK, 0.25 - TICK, 0.25, 0.25 + TICK, 0.5, 0.5 + TICK, 1.0, 2.0, 2.0 + TICK, 11.0])
_CALLS = st.builds(
    Call,
    st.sampled_from(["summarise", "translate"]),
    st.sampled_from(["works", "works", *FAULTS]),
    st.sampled_from([0.0, 0.25, 0.5, 0.5 + TICK]),
)
_TENANTS = st.sampled_from(["acme", "umbrella"])
_COUNTS = st.tuples(
    st.sampled_from(["exchange.done", "legacy.exchange.ok", "exchange.failed", "mail.sent", "mail.bounced"]),
    st.integers(0, 3),
    st.one_of(
        st.just(()),
        st.tuples(st.tuples(st.just("customer"), _TENANTS)),
        st.tuples(st.tuples(st.just("reason"), st.sampled_from(["spam", "full"]))),
    ),
)
_SAID = st.fixed_dictionaries(
    {},
    optional={
        "reason": st.sampled_from(["insufficient_balance", "quota", "unnamed"]),
        "customer": _TENANTS,
        "region": st.just("us"),
        "provider": st.sampled_from(["stripe", "paypal", "braintree", "other"]),
        "probe": st.sampled_from(["true", "false"]),
        "colour": st.just("red"),
    },
).map(lambda said: tuple(sorted(said.items())))
_ENDS = ["answer", "answer", "abort", "raise", "time out", "stream", "break", "leave stream", "leave", "cancel"]

scripts = st.builds(
    Script,
    st.sampled_from([*PLACES, "spend", "chat", "hook", "paid hook"]),
    _SAID,
    st.lists(_CALLS, max_size=3).map(tuple),
    st.lists(_COUNTS, max_size=2).map(tuple),
    st.one_of(
        st.none(),
        st.tuples(st.sampled_from(["good", "bad", "exclude"]), st.sampled_from([None, "quota", "other"])),
    ),
    _SECONDS,
    st.sampled_from([*_ENDS, "background"]),
    st.sampled_from([200, 201, 302, 304, 402, 404, 422, 429, 500, 503]),
    st.sampled_from(["text/plain", "text/event-stream; charset=utf-8"]),
    st.sampled_from([0.0, 0.25, 2.0, 11.0]),
)


# The service.


async def act(request: Request) -> Response:
    """Do what the script of the request says."""
    script: Script = request.scope["script"]
    clock: ManualClock = request.scope["clock"]
    if script.said:
        current_event().set(**dict(script.said))
    for call in script.calls:
        with suppress(*FAULTS.values()):
            await CALLS[call.operation](clock, call)
    for name, times, attributes in script.counts:
        count(name, times, attrs=dict(attributes))
    if script.word is not None:
        _say(*script.word)
    clock.advance(script.seconds)
    return await _end(request, script, clock)


def _say(word: str, reason: str | None) -> None:
    event = current_event()
    if word == "good":
        event.good()
    elif word == "bad":
        event.bad(reason)
    else:
        event.exclude(reason)


async def _end(request: Request, script: Script, clock: ManualClock) -> Response:
    match script.end:
        case "abort":
            raise HTTPException(script.status)
        case "raise":
            raise ZeroDivisionError
        case "time out":
            raise TimeoutError
        case "leave":
            request.scope["gone"].set()
            while not await request.is_disconnected():  # noqa: ASYNC110 - what such handlers do
                await asyncio.sleep(0)
            clock.advance(5.0)
        case "cancel":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        case "stream" | "break" | "leave stream":
            return StreamingResponse(_chunks(request, script, clock), media_type=script.media_type)
        case "background":
            return PlainTextResponse("", script.status, background=BackgroundTask(_fails, clock))
    return PlainTextResponse("", script.status)


async def _chunks(request: Request, script: Script, clock: ManualClock) -> AsyncIterator[bytes]:
    yield b"one"
    clock.advance(script.gap)
    if script.end == "break":
        raise ZeroDivisionError
    if script.end == "leave stream":
        request.scope["gone"].set()
        await asyncio.Event().wait()
    yield b"two"


async def _fails(clock: ManualClock) -> None:
    clock.advance(1.0)
    raise ZeroDivisionError


async def _work(clock: ManualClock, call: Call) -> None:
    clock.advance(call.seconds)
    if call.ending == "has no quota":
        current_event().set(reason="quota")
    if call.ending in FAULTS:
        raise FAULTS[call.ending]


def _tracked(operation: str) -> Callable[[ManualClock, Call], Any]:
    tracker = track("ai", operation=operation, bad=(ModelError,), excluded=(UserCancelledError,))
    return tracker(_work)


CALLS = {operation: _tracked(operation) for operation in ("summarise", "translate")}


@tag("webhook")
async def hook(request: Request) -> Response:
    """A handler that code puts into a category."""
    return await act(request)


@tag("webhook", "money")
async def paid_hook(request: Request) -> Response:
    """One event in two categories."""
    return await act(request)


async def refuses(request: Request) -> Response:
    """Starlette has no validation: a 422 by hand."""
    return PlainTextResponse("no", 422)


def starlette_app() -> Starlette:
    """With mounts."""
    routes: list[BaseRoute] = [
        Route("/wallet/spend", act, methods=["POST"]),
        Route("/chat", act, methods=["POST"]),
        Route("/hook/{number}", hook),
        Route("/paid/{number}", paid_hook),
        Route("/health", act),
        Mount("/shop/{tenant}", routes=[Route("/orders/{number}", act)]),
        Mount("/api", app=Starlette(routes=[Route("/items/{item}", refuses)])),
    ]
    return Starlette(routes=routes)


def fastapi_app() -> FastAPI:
    """With an included router, a mounted application and validation."""
    app, shop, api = FastAPI(), FastAPI(), APIRouter()
    app.add_api_route("/wallet/spend", act, methods=["POST"])
    app.add_api_route("/chat", act, methods=["POST"])
    app.add_api_route("/hook/{number}", hook)
    app.add_api_route("/paid/{number}", paid_hook)
    app.add_api_route("/health", act)
    shop.add_api_route("/orders/{number}", act)
    app.mount("/shop/{tenant}", shop)

    @api.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    app.include_router(api, prefix="/api")
    return app


async def send(app: Starlette, clock: ManualClock, script: Script) -> None:
    """One request with a client that does what the script says; it reads whatever comes."""
    method, path, _, _ = PLACES[script.place]
    gone = asyncio.Event()
    pending: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if pending:
            return pending.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def read(message: Message) -> None:
        """A client without a fault of its own."""

    scope = http_scope(path, method, script=script, clock=clock, gone=gone)
    with suppress(ZeroDivisionError, TimeoutError, asyncio.CancelledError):
        await asyncio.ensure_future(_run(app, scope, receive, read))


async def _run(app: Starlette, scope: Scope, receive: Receive, read: Send) -> None:
    await app(scope, receive, read)


# What happened, by the outcome table.


def facts(script: Script, *, validates: bool) -> list[Fact]:
    """The events of one request. `validates`: the framework refuses bad input by itself, and says so."""
    method, _, template, names = PLACES[script.place]
    whole = Fact("http", frozenset(names), "rejected", 0.0, 0.0, method if method != "BREW" else "_OTHER", template)
    if script.place in _UNHANDLED:
        reason = "bad_input" if script.place == "item" and validates else None
        return [replace(whole, status=_UNHANDLED[script.place], reason=reason)]
    inner, failed = _inner(script.calls, shared="ai" in names)
    took = sum(call.seconds for call in script.calls) + script.seconds
    overrule = script.word[0] if script.word is not None else None
    outer = replace(
        _ended(script, replace(_said(whole, script), first_byte=took, duration=took)),
        overrule=overrule,
        inner_bad=frozenset() if overrule == "good" else failed,
    )
    return [*inner, *_counted(script), outer]


def _inner(calls: tuple[Call, ...], *, shared: bool) -> tuple[list[Fact], frozenset[str]]:
    """The events of inner calls, and how those of a shared category failed that were not repeated well."""
    found: list[Fact] = []
    failed: dict[str, set[str]] = {}
    for call in calls:
        names = {call.operation} if shared else {call.operation, "ai"}
        found.append(replace(_called(call, frozenset(names)), inside=shared))
        if call.ending == "works":
            failed[call.operation] = set()
        elif call.ending != "quits":
            failed.setdefault(call.operation, set()).add(call.ending)
    return found, frozenset().union(*failed.values()) if shared else frozenset()


def _called(call: Call, names: frozenset[str]) -> Fact:
    outcome, overrule = {
        "works": ("success", None),
        "fails": ("error", "bad"),
        "quits": ("error", "exclude"),
        "breaks": ("exception", None),
        "times out": ("timeout", None),
        "has no quota": ("exception", None),
    }[call.ending]
    reason = "quota" if call.ending == "has no quota" else None
    return Fact("operation", names, outcome, call.seconds, overrule=overrule, reason=reason)


def _counted(script: Script) -> Iterator[Fact]:
    for name, times, attributes in script.counts:
        mapped = "exchange.done" if name == "legacy.exchange.ok" else name
        fact = _told(Fact("count", frozenset({mapped}), "success"), dict(attributes))
        yield from [fact] * times


def _told(fact: Fact, said: dict[str, str]) -> Fact:
    attributes = {"tenant" if name == "customer" else name: value for name, value in said.items()}
    return replace(fact, reason=attributes.pop("reason", fact.reason), attributes=attributes)


def _said(fact: Fact, script: Script) -> Fact:
    fact = _told(fact, dict(script.said))
    if script.word is not None and script.word[0] != "good" and script.word[1] is not None:
        fact = replace(fact, reason=script.word[1])
    return fact


def _ended(script: Script, fact: Fact) -> Fact:
    streamed = replace(
        fact,
        status=200,
        duration=fact.duration + script.gap,
        event_stream=script.media_type.startswith("text/event-stream"),
    )
    match script.end:
        case "raise":
            return replace(fact, outcome="exception", status=500)
        case "time out":
            return replace(fact, outcome="timeout", status=500, reason=fact.reason or "timeout")
        case "cancel":
            reason = fact.reason or "server_cancelled"
            return replace(fact, outcome="cancelled", by_server=True, status=500, reason=reason, first_byte=None)
        case "leave":
            return replace(fact, outcome="cancelled", first_byte=None)
        case "leave stream":
            return replace(streamed, outcome="cancelled")
        case "break":
            return replace(streamed, outcome="exception")
        case "stream":
            return replace(streamed, outcome="success")
        case "background" if script.status >= 500:
            return replace(fact, outcome="exception", status=script.status)
        case _:
            return replace(fact, outcome=_of_status(script.status), status=script.status)


def _of_status(status: int) -> str:
    if status < 400:
        return "success"
    return "rejected" if status < 500 else "error"
