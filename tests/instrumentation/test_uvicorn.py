"""The lines of the outcome table that need a network: real uvicorn, real sockets, clients that leave."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from slo_otel.instrumentation import current_event, instrument, track
from slo_otel.plan import Outcome
from tests.instrumentation.asgi_apps import MAKERS, App
from tests.instrumentation.asgi_server import read_all, served, until
from tests.instrumentation.asgi_world import World, running
from tests.instrumentation.events_world import compiled


@pytest.fixture(params=sorted(MAKERS))
def make(request: pytest.FixtureRequest) -> Callable[..., App]:
    """The service on each framework."""
    return MAKERS[request.param]


@pytest.fixture(params=["httptools", "h11"])
def http(request: pytest.FixtureRequest) -> str:
    """Both protocol implementations of uvicorn."""
    return str(request.param)


@pytest.fixture
def world() -> Iterator[World]:
    """A runtime around the server."""
    with running() as found:
        yield found


def total(world: World) -> int:
    return sum(cell.count for cell in world.cells())


def leave(client: socket.socket) -> None:
    """Go at once, without a word: the reset that a closed browser tab sends."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.close()


def test_a_client_that_leaves_the_stream_is_cancelled(make: Callable[..., App], http: str, world: World) -> None:
    """After its first chunk the client goes: cancelled, not by the server, counted once, excluded while quick."""
    with served(instrument(make()), http) as server:
        client = server.ask("/endless")
        assert client.recv(1)
        leave(client)
        until(lambda: total(world) == 1)
        key = world.key()
        assert (key.route, key.status, key.outcome, key.by_server) == ("/endless", 200, Outcome.CANCELLED, False)
        assert world.verdict() == "excluded"
        assert world.verdict("latency") == "excluded"


def test_a_client_that_leaves_a_waiting_handler_is_cancelled_where_it_looks(
    make: Callable[..., App], http: str, world: World
) -> None:
    """A handler that polls `is_disconnected` makes the disconnect known; its answer to nobody is not good."""
    with served(instrument(make()), http) as server:
        client = server.ask("/polling")
        leave(client)
        until(lambda: total(world) == 1)
        assert (world.key().outcome, world.key().by_server) == (Outcome.CANCELLED, False)


def test_a_disconnect_that_nobody_reads_cannot_be_known(make: Callable[..., App], http: str, world: World) -> None:
    """uvicorn neither cancels nor fails a send, so a handler that never looks has answered."""
    entered, release = threading.Event(), threading.Event()

    async def deaf(request: Request) -> Response:
        entered.set()
        await asyncio.to_thread(release.wait, 60)
        return PlainTextResponse("to nobody")

    app = make()
    app.router.routes.append(Route("/deaf", deaf))
    with served(instrument(app), http) as server:
        client = server.ask("/deaf")
        until(entered.is_set)
        leave(client)
        release.set()
        until(lambda: total(world) == 1)
        assert world.key().outcome is Outcome.SUCCESS


def test_a_client_that_leaves_during_its_upload_is_cancelled(
    make: Callable[..., App], http: str, world: World
) -> None:
    """Half a body and a closed connection are the client's doing, not a 500 of the server."""
    with served(instrument(make()), http) as server:
        client = server.ask("/reading", "POST", b"half", length=1000)
        client.close()
        until(lambda: total(world) == 1)
        assert (world.key().outcome, world.key().by_server) == (Outcome.CANCELLED, False)


async def _waits(request: Request) -> Response:
    await asyncio.sleep(60)
    return PlainTextResponse("late")


async def _trickles(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(60)

    return StreamingResponse(chunks())


class _Passes(BaseHTTPMiddleware):
    """A middleware that does nothing, in tasks of its own: a cancellation takes several turns to get through."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


@pytest.mark.parametrize(
    ("endpoint", "status", "depth"),
    [(_waits, 500, 0), (_waits, 500, 1), (_trickles, 200, 0), (_trickles, 200, 3)],
    ids=["waits", "waits below a middleware", "streams", "streams below three"],
)
def test_the_servers_shutdown_cancels_and_is_bad_and_is_flushed(
    make: Callable[..., App],
    http: str,
    world: World,
    endpoint: Callable[[Request], Awaitable[Response]],
    status: int,
    depth: int,
) -> None:
    """A request that shutdown cancels is counted before the last flush, as the server's cancellation."""
    counted_at_flush: list[int] = []

    def flush(timeout: float) -> bool:
        counted_at_flush.append(total(world))
        return True

    world.active.flush = flush
    entered = threading.Event()

    async def enters(request: Request) -> Response:
        entered.set()
        return await endpoint(request)

    app = make()
    app.router.routes.append(Route("/waits", enters))
    for _ in range(depth):
        app.add_middleware(_Passes)
    with served(instrument(app), http) as server:
        client = server.ask("/waits")
        until(entered.is_set)
        if endpoint is _trickles:
            assert client.recv(1)
    client.close()
    key = world.key()
    assert (key.outcome, key.by_server, key.reason) == (Outcome.CANCELLED, True, "server_cancelled")
    assert key.status == status
    assert world.verdict() == "bad"
    assert counted_at_flush == [1]


def test_a_stream_of_200_ms_measures_200_ms(make: Callable[..., App], http: str, world: World) -> None:
    """The time is that to the last chunk, and the client got every one of them."""
    with served(instrument(make()), http) as server:
        answer = server.fetch("/stream")
        assert answer.count(b"chunk") >= 4
        until(lambda: total(world) == 1)
        assert 0.2 <= world.seconds() < 5


def test_an_event_stream_keeps_its_first_byte(make: Callable[..., App], world: World) -> None:
    """Over a real connection the first event's time is kept beside the last one's."""
    with served(instrument(make())) as server:
        assert b"data: 2" in server.fetch("/events")
        until(lambda: total(world) == 1)
        cell = world.one()
    assert cell.key.event_stream
    assert cell.duration is not None
    assert cell.first_byte is not None
    assert cell.duration.sum - cell.first_byte.sum >= 0.02


def test_concurrent_clients_are_counted_each_by_itself(make: Callable[..., App], http: str, world: World) -> None:
    """Two streams, a failure and a client that leaves, at once, are four events of four kinds."""
    with served(instrument(make()), http) as server:
        clients = [server.ask(path) for path in ("/stream", "/stream", "/boom", "/endless")]
        assert clients[3].recv(1)
        leave(clients[3])
        assert [read_all(client).split(b" ", 2)[1] for client in clients[:3]] == [b"200", b"200", b"500"]
        for client in clients[:3]:
            client.close()
        until(lambda: total(world) == 4)
        assert world.counts() == {
            ("GET", "/stream", 200, Outcome.SUCCESS): 2,
            ("GET", "/boom", 500, Outcome.EXCEPTION): 1,
            ("GET", "/endless", 200, Outcome.CANCELLED): 1,
        }


def test_every_answer_on_one_connection_is_an_event(make: Callable[..., App], http: str, world: World) -> None:
    """Keep-alive and pipelining: as many events as the client counts answers."""
    with served(instrument(make()), http) as server, server.connect() as client:
        request = b"GET /ok/1 HTTP/1.1\r\nhost: shop\r\n\r\n"
        last = b"GET /nowhere HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"
        client.sendall(request * 3 + last)
        answers = read_all(client)
        assert answers.count(b"HTTP/1.1 200") == 3
        assert answers.count(b"HTTP/1.1 404") == 1
        until(lambda: total(world) == 4)
        assert world.counts() == {
            ("GET", "/ok/{id}", 200, Outcome.SUCCESS): 3,
            ("GET", "unmatched", 404, Outcome.REJECTED): 1,
        }


def test_a_background_failure_over_a_connection_leaves_a_good_answer(
    make: Callable[..., App], world: World
) -> None:
    """The client has its answer before the background task fails."""
    with served(instrument(make())) as server:
        assert server.fetch("/background").endswith(b"ok")
        until(lambda: world.limit("after_body_errors") == 1)
        assert world.verdict() == "good"


def test_the_next_request_of_a_connection_is_not_inside_a_held_one(make: Callable[..., App], http: str) -> None:
    """uvicorn starts a pipelined request in the context of the one before, whose 503 is open for its background."""
    release = threading.Event()

    async def wait() -> None:
        await asyncio.to_thread(release.wait, 60)

    async def unavailable(request: Request) -> Response:
        current_event().set(reason="overloaded", tenant="first")
        return PlainTextResponse("no", 503, background=BackgroundTask(wait))

    app = make()
    app.router.routes.append(Route("/unavailable", unavailable))
    plan = compiled(
        "{version: slo/v1, service: shop, categories: {everything: http}, attributes: {tenant_id: tenant}, "
        "slos: [{name: availability, sli: {success: everything}, objective: 99%, keep: tenant}]}"
    )
    with running(plan) as world, served(instrument(app), http) as server, server.connect() as client:
        first = b"GET /unavailable HTTP/1.1\r\nhost: shop\r\n\r\n"
        last = b"GET /ok/1 HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"
        client.sendall(first + last)
        assert read_all(client).count(b"HTTP/1.1") == 2
        until(lambda: total(world) == 1)
        (answered,) = world.cells()
        release.set()
        until(lambda: total(world) == 2)
        (held,) = [cell for cell in world.cells() if cell.key != answered.key]
    assert (answered.key.names, answered.key.status, answered.key.reason) == (("everything",), 200, None)
    assert answered.key.attributes == ()
    assert (held.key.status, held.key.reason, held.key.attributes) == (503, "overloaded", (("tenant", "first"),))


def test_what_is_said_of_one_request_stays_with_it_on_a_kept_connection(
    make: Callable[..., App], http: str, world: World
) -> None:
    """One request after the other on a connection: the second has nothing of the first one's words."""

    async def speaks(request: Request) -> Response:
        if request.url.query:
            current_event().bad("said")
        return PlainTextResponse("ok")

    app = make()
    app.router.routes.append(Route("/speaks", speaks))
    with served(instrument(app), http) as server, server.connect() as client:
        for target in ("/speaks?1", "/speaks", "/speaks?1", "/speaks"):
            client.sendall(f"GET {target} HTTP/1.1\r\nhost: shop\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"ok"):
                answer += client.recv(65536)
        until(lambda: total(world) == 4)
    assert {(cell.key.reason, str(cell.key.overrule)): cell.count for cell in world.cells()} == {
        ("said", "bad"): 2,
        (None, "None"): 2,
    }


def test_a_client_that_leaves_before_the_first_byte_knows_no_status(
    make: Callable[..., App], http: str, world: World
) -> None:
    """The start of the answer left, no byte of it: cancelled without a status, which is excluded while quick."""

    async def silent(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            await asyncio.sleep(60)
            yield b"never"

        return StreamingResponse(chunks(), media_type="text/event-stream")

    app = make()
    app.router.routes.append(Route("/silent", silent))
    with served(instrument(app), http) as server:
        client = server.ask("/silent")
        assert client.recv(1)
        leave(client)
        until(lambda: total(world) == 1)
        assert (world.key().status, world.key().outcome) == (None, Outcome.CANCELLED)
        assert world.verdict("latency") == "excluded"


@track("chat", operation="answer")
async def tokens() -> AsyncIterator[bytes]:
    """A tracked generator that a response streams."""
    while True:
        yield b"token "
        await asyncio.sleep(0.005)


def test_a_tracked_generator_ends_with_the_client_that_leaves(
    make: Callable[..., App], http: str, world: World
) -> None:
    """The request and the generator below it are both the client's cancellation, each counted once."""

    async def chat(request: Request) -> Response:
        return StreamingResponse(tokens())

    def cells() -> dict[tuple[str, str], tuple[int, bool]]:
        found = world.recorder.snapshot(0, 0).cells
        return {(cell.key.kind, cell.key.outcome): (cell.count, cell.key.by_server) for cell in found if cell.count}

    app = make()
    app.router.routes.append(Route("/talk", chat))
    with served(instrument(app), http) as server:
        client = server.ask("/talk")
        assert client.recv(1)
        leave(client)
        until(lambda: len(cells()) == 2)
    assert cells() == {("http", "cancelled"): (1, False), ("operation", "cancelled"): (1, False)}


@pytest.mark.parametrize(("media_type", "verdict"), [("text/event-stream", "good"), ("text/plain", "bad")])
def test_an_event_stream_is_judged_by_its_first_byte_and_a_plain_one_by_its_last(
    make: Callable[..., App], media_type: str, verdict: str
) -> None:
    """With a threshold between both times `text/event-stream` is good and the same chunks as text are slow."""
    plan = compiled(
        "{version: slo/v1, service: shop, slos: [{name: latency, sli: {latency: http}, objective: p95 < 150ms}]}"
    )
    now = 1.0

    async def slow(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            nonlocal now
            now += 0.1
            yield b"data: 1\n\n"
            now += 0.1
            yield b"data: 2\n\n"

        return StreamingResponse(chunks(), media_type=media_type)

    app = make()
    app.router.routes.append(Route("/slow", slow))
    with running(plan, perf=lambda: now) as world, served(instrument(app)) as server:
        assert b"data: 2" in server.fetch("/slow")
        until(lambda: total(world) == 1)
        assert world.verdict("latency") == verdict


def test_a_graceful_shutdown_lets_what_ends_in_time_be_good(make: Callable[..., App], world: World) -> None:
    """Of two requests under way at SIGTERM one ends within the grace and is good, the other is cancelled."""
    entered = threading.Semaphore(0)
    finish = threading.Event()

    async def ends(request: Request) -> Response:
        entered.release()
        await asyncio.to_thread(finish.wait, 60)
        return PlainTextResponse("in time")

    async def stays(request: Request) -> Response:
        entered.release()
        await asyncio.sleep(60)
        return PlainTextResponse("never")

    app = make()
    app.router.routes[:0] = [Route("/ends", ends), Route("/stays", stays)]
    with served(instrument(app), grace=4) as server:
        clients = [server.ask("/ends"), server.ask("/stays")]
        assert [entered.acquire(timeout=30) for _ in clients] == [True, True]
        server.terminate()
        finish.set()
        assert read_all(clients[0]).endswith(b"in time")
    for client in clients:
        client.close()
    found = {cell.key.route: (cell.key.outcome, cell.key.by_server, cell.key.reason) for cell in world.cells()}
    assert found == {
        "/ends": (Outcome.SUCCESS, False, None),
        "/stays": (Outcome.CANCELLED, True, "server_cancelled"),
    }
