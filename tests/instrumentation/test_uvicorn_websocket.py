"""Websocket connections over a real server: how each side may end one, and what is left alone."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from slo_otel.instrumentation import instrument
from slo_otel.plan import Outcome
from tests.instrumentation.asgi_server import Served, served, until
from tests.instrumentation.asgi_world import make_plan, running


async def chat(websocket: WebSocket) -> None:
    """Answers what it is told; `close` and `raise` are done."""
    await websocket.accept()
    while True:
        said = await websocket.receive_text()
        if said == "close":
            await websocket.close(4000)
            return
        if said == "raise":
            raise ZeroDivisionError
        await websocket.send_text(said)


def on_starlette() -> Starlette:
    return Starlette(routes=[WebSocketRoute("/chat/{room}", chat)])


def on_fastapi() -> Starlette:
    app = FastAPI()
    app.add_api_websocket_route("/chat/{room}", chat)
    return app


@pytest.fixture(params=[on_starlette, on_fastapi], ids=["starlette", "fastapi"])
def app(request: pytest.FixtureRequest) -> Starlette:
    """The chat on each framework."""
    made: Starlette = request.param()
    return made


@contextmanager
def joined(server: Served) -> Iterator[ClientConnection]:
    """A client that has been answered once."""
    with connect(f"ws://127.0.0.1:{server.port}/chat/7", compression=None) as client:
        client.send("hello")
        assert client.recv(30) == "hello"
        yield client


def closes(client: ClientConnection) -> None:
    client.close(1001)


def vanishes(client: ClientConnection) -> None:
    """A phone that lost its network: no closing handshake."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.socket.shutdown(socket.SHUT_RDWR)


def is_closed(client: ClientConnection) -> None:
    client.send("close")
    with pytest.raises(ConnectionClosed):
        client.recv(30)


def breaks(client: ClientConnection) -> None:
    client.send("raise")
    with pytest.raises(ConnectionClosed):
        client.recv(30)


@pytest.mark.parametrize(
    ("end", "status", "outcome", "verdict"),
    [
        (closes, 1001, Outcome.SUCCESS, "good"),
        (vanishes, 1005, Outcome.SUCCESS, "good"),
        (is_closed, 4000, Outcome.REJECTED, "bad"),
        (breaks, 1011, Outcome.EXCEPTION, "bad"),
    ],
)
def test_a_connection_is_one_event_however_it_ends(
    app: Starlette, end: Callable[[ClientConnection], None], status: int, outcome: Outcome, verdict: str
) -> None:
    """By its close code, whichever side said it. uvicorn calls a lost connection 1005, a close without a code."""
    with running(make_plan(websocket=True)) as world, served(instrument(app), ws="websockets-sansio") as server:
        with joined(server) as client:
            end(client)
        until(lambda: bool(world.cells()))
        key = world.key()
        assert (key.route, key.status, key.outcome, key.by_server) == ("/chat/{room}", status, outcome, False)
        assert world.verdict() == verdict


def test_a_shutdown_ends_a_connection_by_the_server(app: Starlette) -> None:
    """uvicorn tells both sides 1012, a service restart: the server's cancellation, which is bad."""
    with running(make_plan(websocket=True)) as world:
        with served(instrument(app), ws="websockets-sansio") as server, joined(server) as client:
            server.terminate()
            with pytest.raises(ConnectionClosed):
                client.recv(30)
        assert (world.key().status, world.key().outcome, world.key().by_server) == (1012, Outcome.CANCELLED, True)
        assert world.verdict() == "bad"


def test_a_connection_nobody_asked_for_is_no_event(app: Starlette) -> None:
    """Without `websocket: true` the same conversation goes by uncounted."""
    with running() as world, served(instrument(app), ws="websockets-sansio") as server:
        with joined(server):
            pass
        assert world.cells() == ()
