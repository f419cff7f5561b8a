"""The middleware as a citizen of ASGI: messages, lifespan, websockets, the user's extractor, setting it up."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from slo_otel import errors
from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation import (
    ASGIApp,
    Message,
    Receive,
    Scope,
    Send,
    SLOMiddleware,
    current_event,
    instrument,
)
from slo_otel.plan import Kind, Outcome
from tests.instrumentation.asgi_apps import MAKERS, App
from tests.instrumentation.asgi_fake import exchange
from tests.instrumentation.asgi_world import World, make_plan, running


@pytest.fixture(params=sorted(MAKERS))
def make(request: pytest.FixtureRequest) -> Callable[..., App]:
    """The service on each framework."""
    return MAKERS[request.param]


OUTGOING: list[Message] = [
    {"type": "http.response.debug", "info": {"template": 1}},
    {"type": "http.response.early_hint", "links": [b"</a>"]},
    {"type": "http.response.start", "status": 200, "headers": [(b"x", b"1")], "trailers": True},
    {"type": "http.response.body", "body": b"a", "more_body": True},
    {"type": "http.response.body", "more_body": True},
    {"type": "http.response.body", "body": b"b"},
    {"type": "http.response.trailers", "headers": [(b"t", b"1")], "more_trailers": False},
    {"type": "something.unknown"},
]


@pytest.mark.parametrize("configured", [False, True])
def test_every_message_is_forwarded_unchanged_and_in_order(*, configured: bool) -> None:
    """Both ways the very same objects pass, unknown types and legal omissions included."""
    incoming: list[Message] = [
        {"type": "http.request", "body": b"1", "more_body": True},
        {"type": "http.request"},
        {"type": "http.disconnect"},
    ]
    got: list[Message] = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got.extend([await receive() for _ in incoming])
        for message in OUTGOING:
            await send(message)

    source = iter(incoming)

    async def receive() -> Message:
        return next(source)

    async def send(message: Message) -> None:
        sent.append(message)

    async def serve() -> None:
        await SLOMiddleware(app)({"type": "http", "method": "GET", "path": "/"}, receive, send)

    copies = [dict(message) for message in OUTGOING]
    if configured:
        with running() as world:
            asyncio.run(serve())
            assert world.key().outcome is Outcome.CANCELLED
    else:
        asyncio.run(serve())
    assert [id(message) for message in got] == [id(message) for message in incoming]
    assert [id(message) for message in sent] == [id(message) for message in OUTGOING]
    assert [dict(message) for message in OUTGOING] == copies


def test_a_file_sent_by_the_server_ends_the_answer() -> None:
    """`http.response.pathsend` is the last body message of its response."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/a"})

    with running() as world:
        asyncio.run(exchange(SLOMiddleware(app)))
        assert world.key().outcome is Outcome.SUCCESS


def test_the_application_sees_the_scope_and_its_own_exception() -> None:
    """The scope is the server's object, and what the application raises arrives as it was raised."""
    fault = KeyError("mine")
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        raise fault

    with running():
        answer = asyncio.run(exchange(SLOMiddleware(app)))
    assert answer.raised is fault
    assert seen[0]["path"] == "/"


def test_nothing_stays_open_after_a_request(make: Callable[..., App]) -> None:
    """After the answer, in the same task, there is no current event of a request that is over."""

    async def serve() -> None:
        for path in ("/ok/1", "/boom", "/background", "/events"):
            await exchange(app, path)
            current_event().bad("too late, and of nobody")

    with running() as world:
        app = instrument(make())
        asyncio.run(serve())
        assert world.limit("detached_events") == 4
        assert all(cell.key.overrule is None for cell in world.cells())


@pytest.mark.parametrize("path", ["/said/1", "/said-in-thread/1"])
@pytest.mark.parametrize("below", [False, True])
def test_handlers_reach_their_event_from_tasks_and_threads(path: str, *, below: bool) -> None:
    """`current_event()` works in sync handlers (worker threads) and below BaseHTTPMiddleware (child tasks)."""
    from starlette.middleware.base import BaseHTTPMiddleware

    async def said(x: int) -> None:
        current_event().set(reason="insufficient_balance", tenant=x)

    def said_in_thread(x: int) -> None:
        current_event().set(reason="insufficient_balance", tenant=x)

    async def dispatch(request: Request, call_next: Callable[[Request], Any]) -> Response:
        response: Response = await call_next(request)
        return response

    app = FastAPI(middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)] if below else [])
    app.add_api_route("/said/{x}", said)
    app.add_api_route("/said-in-thread/{x}", said_in_thread)
    with running() as world:
        asyncio.run(exchange(instrument(app), path))
        key = world.key()
    assert (key.reason, key.attributes, key.outcome) == (
        "insufficient_balance",
        (("tenant", "1"),),
        Outcome.SUCCESS,
    )


def test_what_one_request_said_is_not_said_of_the_next() -> None:
    """An event with attributes does not leave its cell to the fast path."""

    async def sometimes(request: Request) -> Response:
        if request.query_params:
            current_event().bad("why")
        return PlainTextResponse("ok")

    with running() as world:
        app = instrument(Starlette(routes=[Route("/", sometimes)]))
        for query in (b"a=1", b"", b"a=1", b""):
            asyncio.run(exchange(app, "/", query_string=query))
        assert sorted((str(cell.key.overrule), cell.count) for cell in world.cells()) == [("None", 2), ("bad", 2)]


# The user's extractor.


def test_attributes_come_from_the_scope_and_the_handler_has_the_last_word(make: Callable[..., App]) -> None:
    """The callable sees what routing and middleware wrote; what the handler set itself stands."""

    def extract(scope: Scope) -> Mapping[str, str]:
        return {"tenant": scope["path_params"]["id"], "plan": "free", "unnamed": "ignored"}

    async def upgraded(request: Request) -> Response:
        current_event().set(plan="gold")
        return PlainTextResponse("ok")

    app = make()
    app.router.routes.insert(0, Route("/gold/{id}", upgraded))
    with running() as world:
        served = instrument(app, attributes=extract)
        for path in ("/ok/7", "/gold/8"):
            asyncio.run(exchange(served, path))
        assert {cell.key.attributes for cell in world.cells()} == {
            (("plan", "free"), ("tenant", "7")),
            (("plan", "gold"), ("tenant", "8")),
        }


@pytest.mark.parametrize("given", [KeyError("no such header"), 7, {1: "a name that is no text"}])
def test_an_extractor_that_fails_leaves_the_request_unharmed(
    make: Callable[..., App], given: object, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted each time and logged once, and the request is counted without its attributes."""

    def extract(scope: Scope) -> Mapping[str, str]:
        if isinstance(given, Exception):
            raise given
        return given  # type: ignore[return-value]  # what a user may get wrong

    with running() as world, caplog.at_level(logging.WARNING, "slo_otel"):
        app = instrument(make(), attributes=extract)
        assert [asyncio.run(exchange(app, "/ok/1")).status for _ in range(3)] == [200, 200, 200]
        assert world.counts() == {("GET", "/ok/{id}", 200, Outcome.SUCCESS): 3}
    assert errors.faults() == {"the attributes callable of SLOMiddleware": 3}
    assert len(caplog.records) == 1


# Validation.


def validating() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    return app


@pytest.mark.parametrize("mounted", [False, True])
@pytest.mark.parametrize("custom", [None, "async", "sync"])
@pytest.mark.parametrize("put", ["instrument", "wrap", "add"])
def test_fastapis_own_validation_error_is_bad_input_whatever_is_answered(
    put: str, custom: str | None, *, mounted: bool
) -> None:
    """The default 422 and a custom handler's 400 carry the reason, in the application and in one mounted in it."""
    from fastapi.exceptions import RequestValidationError

    async def handle(request: Request, error: Exception) -> Response:
        return PlainTextResponse("no", status_code=400)

    def handle_in_thread(request: Request, error: Exception) -> Response:
        return PlainTextResponse("no", status_code=400)

    service = validating()
    app: Starlette = Starlette(routes=[Mount("/sub", service)]) if mounted else service
    with running() as world:
        if put == "instrument":
            instrument(app)
        elif put == "add":
            app.add_middleware(SLOMiddleware)
        if custom is not None:
            service.add_exception_handler(RequestValidationError, handle if custom == "async" else handle_in_thread)
        served: ASGIApp = SLOMiddleware(app) if put == "wrap" else app
        prefix = "/sub" if mounted else ""
        answers = [asyncio.run(exchange(served, f"{prefix}/items/{item}")).status for item in ("x", "1", "y")]
        found = {(cell.key.status, cell.key.reason): cell.count for cell in world.cells()}
    refused = 422 if custom is None else 400
    assert answers == [refused, 200, refused]
    assert found == {(refused, "bad_input"): 2, (200, None): 1}


@pytest.mark.parametrize("path", ["/hand-raised", "/hand-returned"])
def test_a_422_by_hand_has_no_reason(make: Callable[..., App], path: str) -> None:
    """What code raises or returns itself is told apart from the framework's validation."""
    with running() as world:
        asyncio.run(exchange(instrument(make()), path))
        assert (world.key().status, world.key().reason) == (422, None)


def test_what_code_said_before_validation_failed_stands() -> None:
    """`bad_input` does not overwrite a reason that a dependency gave."""
    from fastapi import Depends

    async def says() -> None:
        current_event().set(reason="suspended")

    app = FastAPI(dependencies=[Depends(says)])

    @app.get("/{item}")
    async def item(item: int) -> int:
        return item

    with running() as world:
        asyncio.run(exchange(instrument(app), "/x"))
        assert world.key().reason == "suspended"


# Setting it up.


def test_instrument_works_in_place_and_twice_is_once(make: Callable[..., App]) -> None:
    """The same object comes back; a second call, also after the start, adds no second event."""
    app = make()
    with running() as world:
        assert instrument(app) is app
        assert instrument(app) is app
        asyncio.run(exchange(app, "/ok/1"))
        assert instrument(app) is app
        asyncio.run(exchange(app, "/ok/1"))
        assert world.counts() == {("GET", "/ok/{id}", 200, Outcome.SUCCESS): 2}


def test_instrument_after_the_start_measures_from_then_on(make: Callable[..., App]) -> None:
    """An application that already answered is wrapped around its built middleware."""
    app = make()
    with running() as world:
        asyncio.run(exchange(app, "/ok/1"))
        instrument(app)
        asyncio.run(exchange(app, "/boom"))
        assert world.counts() == {("GET", "/boom", 500, Outcome.EXCEPTION): 1}


def test_an_instrumented_application_in_an_instrumented_one_is_one_event() -> None:
    """The outer one counts, with the full template."""
    with running() as world:
        outer = instrument(Starlette(routes=[Mount("/sub", instrument(validating()))]))
        asyncio.run(exchange(outer, "/sub/items/1"))
        assert world.counts() == {("GET", "/sub/items/{item}", 200, Outcome.SUCCESS): 1}


def test_an_instrumented_application_in_a_plain_one_has_the_full_template() -> None:
    """Only the mounted application is measured; its routes still carry the parent's prefix."""
    with running() as world:
        outer = Starlette(routes=[Mount("/{tenant}", instrument(validating()))])
        for path in ("/acme/items/1", "/umbrella/items/1", "/acme/items/x", "/acme/nowhere"):
            asyncio.run(exchange(outer, path))
        assert world.counts() == {
            ("GET", "/{tenant}/items/{item}", 200, Outcome.SUCCESS): 2,
            ("GET", "/{tenant}/items/{item}", 422, Outcome.REJECTED): 1,
            ("GET", "unmatched", 404, Outcome.REJECTED): 1,
        }


def test_an_application_that_invents_attributes_is_wrapped_all_the_same() -> None:
    """The walk through wrappers ends, also where every attribute leads to another object."""

    class Endless:
        def __getattr__(self, name: str) -> Endless:
            return Endless()

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("ok")(scope, receive, send)

    with running() as world:
        assert asyncio.run(exchange(SLOMiddleware(Endless()))).status == 200
        assert world.counts() == {("GET", "unmatched", 200, Outcome.SUCCESS): 1}


@pytest.mark.parametrize("wrong", [object(), Starlette, lambda scope: None, "app:app"])
def test_instrument_refuses_what_it_cannot_wrap(wrong: object) -> None:
    """The message names what was given and what to write instead."""
    with pytest.raises(ConfigurationError, match=r"app = SLOMiddleware\(app\)"):
        instrument(wrong)


async def _asynchronous(scope: Scope) -> dict[str, str]:
    return {"tenant": scope["path"]}


@pytest.mark.parametrize("wrong", [5, {"tenant": "one"}, _asynchronous])
def test_an_extractor_that_could_say_nothing_is_refused(make: Callable[..., App], wrong: Any) -> None:
    """Where it is written, not once a request; an asynchronous one would never be awaited."""
    for set_up in (SLOMiddleware, instrument):
        with pytest.raises(ConfigurationError, match="attributes="):
            set_up(make(), attributes=wrong)


def test_a_middleware_around_nothing_is_refused() -> None:
    """An import that gave None is told at import."""
    nothing: Any = None
    with pytest.raises(ConfigurationError, match="ASGI application; got None"):
        SLOMiddleware(nothing)


# Lifespan.


async def _run_lifespan(app: ASGIApp, world: World | None) -> list[tuple[str, int]]:
    """The messages the application sent, each with how often it had been flushed by then."""
    sent: list[tuple[str, int]] = []
    incoming: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append((message["type"], len(world.flushed) if world else 0))

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return sent


@pytest.mark.parametrize("twice", [False, True])
def test_what_was_recorded_is_flushed_before_shutdown_is_complete(make: Callable[..., App], *, twice: bool) -> None:
    """The flush runs once, in another thread, before the server hears `lifespan.shutdown.complete`."""
    threads: list[threading.Thread] = []
    with running() as world:
        genuine = world.active.flush

        def flush(timeout: float) -> bool:
            threads.append(threading.current_thread())
            return genuine(timeout)

        world.active.flush = flush
        app = instrument(make())
        sent = asyncio.run(_run_lifespan(SLOMiddleware(app) if twice else app, world))
    assert sent == [("lifespan.startup.complete", 0), ("lifespan.shutdown.complete", 1)]
    assert [thread is threading.main_thread() for thread in threads] == [False]
    assert world.flushed == [5.0]


def test_a_flush_that_hangs_does_not_hold_the_shutdown(
    make: Callable[..., App], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Past its timeout and a grace the shutdown goes on, with a line in the log."""
    monkeypatch.setattr("slo_otel.instrumentation._lifespan.FLUSH_SECONDS", 0.02)
    monkeypatch.setattr("slo_otel.instrumentation._lifespan._GRACE_SECONDS", 0.02)
    release = threading.Event()
    with running() as world:
        world.active.flush = lambda timeout: release.wait(30)
        began = time.monotonic()
        sent = asyncio.run(_run_lifespan(instrument(make()), world))
        took = time.monotonic() - began
        release.set()
    assert [kind for kind, _ in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert took < 5
    assert "the shutdown goes on" in caplog.text


def test_a_lifespan_without_a_runtime_passes(make: Callable[..., App]) -> None:
    """Nothing is flushed when nothing is configured."""
    sent = asyncio.run(_run_lifespan(instrument(make()), None))
    assert [kind for kind, _ in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def _refuses(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError(f"only HTTP is served here, not {scope['type']}")


async def _returns(scope: Scope, receive: Receive, send: Send) -> None:
    """As applications do that look at nothing but `http`."""


async def _fails_to_start(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    raise ValueError("no database")


@pytest.mark.parametrize("app", [_refuses, _returns])
def test_an_application_without_a_lifespan_is_flushed_at_its_end(app: ASGIApp) -> None:
    """Its server would tell it of no end (ASGI, lifespan 2.0), and the last interval would be lost."""
    with running() as world:
        sent = asyncio.run(_run_lifespan(SLOMiddleware(app), world))
    assert sent == [("lifespan.startup.complete", 0), ("lifespan.shutdown.complete", 1)]


def test_a_lifespan_that_fails_or_is_not_measured_fails_as_before() -> None:
    """A start that raised is no missing lifespan, and without a runtime nobody stands in."""
    with running() as world, pytest.raises(ValueError, match="no database"):
        asyncio.run(_run_lifespan(SLOMiddleware(_fails_to_start), world))
    with pytest.raises(ValueError, match="only HTTP"):
        asyncio.run(_run_lifespan(SLOMiddleware(_refuses), None))
    assert asyncio.run(_run_lifespan(SLOMiddleware(_returns), None)) == []


class _Broken:
    """A middleware that fails whatever the connection is."""

    def __init__(self, app: ASGIApp) -> None:
        self._hidden = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("no licence")


@pytest.mark.parametrize("wrap", [instrument, SLOMiddleware, lambda app: SLOMiddleware(instrument(app))])
def test_a_lifespan_that_starlette_has_and_that_raises_raises_as_before(wrap: Callable[[App], ASGIApp]) -> None:
    """Starlette always has a lifespan: nobody stands in, or a server that needs it would start a broken service."""
    with running() as world, pytest.raises(ValueError, match="no licence"):
        asyncio.run(_run_lifespan(wrap(Starlette(middleware=[Middleware(_Broken)])), world))


# Websockets.


async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    said = await websocket.receive_text()
    if said == "raise":
        raise ZeroDivisionError
    if said.isdigit():
        await websocket.close(int(said))
    else:
        await websocket.send_text(said)
        await websocket.receive_text()


async def refusing(websocket: WebSocket) -> None:
    await websocket.close(1008)


def connect(app: ASGIApp, path: str, *incoming: Message) -> tuple[list[Message], BaseException | None]:
    sent: list[Message] = []
    pending: list[Message] = [{"type": "websocket.connect"}, *incoming]

    async def receive() -> Message:
        return pending.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    async def serve() -> BaseException | None:
        try:
            await app({"type": "websocket", "path": path, "headers": [], "state": {}}, receive, send)
        except Exception as raised:  # noqa: BLE001 - what the server sees
            return raised
        return None

    raised = asyncio.run(serve())
    return sent, raised


def text(said: str) -> Message:
    return {"type": "websocket.receive", "text": said}


def gone(code: int | None) -> Message:
    return {"type": "websocket.disconnect", "code": code}


@pytest.mark.parametrize(
    ("incoming", "status", "outcome", "by_server"),
    [
        ([text("hello"), gone(1000)], 1000, Outcome.SUCCESS, False),
        ([text("hello"), gone(1001)], 1001, Outcome.SUCCESS, False),
        ([text("hello"), gone(None)], 1005, Outcome.SUCCESS, False),
        ([text("hello"), gone(1006)], 1006, Outcome.CANCELLED, False),
        ([text("hello"), gone(1012)], 1012, Outcome.CANCELLED, True),
        ([text("hello"), gone(4321)], 4000, Outcome.REJECTED, False),
        ([text("hello"), gone(77)], 1002, Outcome.REJECTED, False),
        ([text("1000")], 1000, Outcome.SUCCESS, False),
        ([text("1011")], 1011, Outcome.ERROR, False),
        ([text("1008")], 1008, Outcome.REJECTED, False),
        ([text("raise")], 1011, Outcome.EXCEPTION, False),
    ],
)
def test_a_connection_is_an_event_by_its_close_code_where_the_policy_asks(
    incoming: list[Message], status: int, outcome: Outcome, *, by_server: bool
) -> None:
    """One event a connection: kind, template, code, outcome; codes a client invents are bounded."""
    with running(make_plan(websocket=True)) as world:
        app = instrument(Starlette(routes=[WebSocketRoute("/chat/{room}", chat)]))
        connect(app, "/chat/1", *incoming)
        key = world.key()
    assert (key.kind, key.route, key.status, key.outcome, key.by_server) == (
        Kind.WEBSOCKET,
        "/chat/{room}",
        status,
        outcome,
        by_server,
    )
    assert key.names == ("chat",)


def test_a_refused_connection_is_rejected() -> None:
    """A close before the accept is a refusal, whatever its code."""
    with running(make_plan(websocket=True)) as world:
        app = instrument(Starlette(routes=[WebSocketRoute("/chat/{room}", refusing)]))
        connect(app, "/chat/1")
        assert (world.key().status, world.key().outcome) == (1008, Outcome.REJECTED)


@pytest.mark.parametrize("configured", [False, True])
def test_otherwise_a_websocket_passes_untouched(*, configured: bool) -> None:
    """Without an indicator that asks for it there is no event, and the same messages go both ways."""
    app = Starlette(routes=[WebSocketRoute("/chat/{room}", chat)])
    bare = connect(app, "/chat/1", text("hello"), gone(1000))[0]
    if configured:
        with running() as world:
            measured = connect(instrument(app), "/chat/1", text("hello"), gone(1000))[0]
            assert world.cells() == ()
    else:
        measured = connect(instrument(app), "/chat/1", text("hello"), gone(1000))[0]
    assert measured == bare


def test_a_connection_whose_send_fails_is_the_client_that_left() -> None:
    """A send that raises OSError is a peer that is gone: cancelled with 1006, whatever the handler makes of it."""

    async def talks(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("to nobody")

    sent: list[str] = []

    async def send(message: Message) -> None:
        sent.append(message["type"])
        if message["type"] == "websocket.send":
            raise OSError("gone")

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    with running(make_plan(websocket=True)) as world:
        app = instrument(Starlette(routes=[WebSocketRoute("/chat/{room}", talks)]))
        with pytest.raises(WebSocketDisconnect):
            asyncio.run(app({"type": "websocket", "path": "/chat/1", "headers": []}, receive, send))
        assert (world.key().status, world.key().outcome, world.key().by_server) == (1006, Outcome.CANCELLED, False)
    assert sent == ["websocket.accept", "websocket.send"]
