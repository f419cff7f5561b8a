"""What only an ASGI server shows: clients that leave, a server that stops, asynchronous streams, thread hops."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import django
import pytest

from slo_otel import SLOMiddleware
from slo_otel.instrumentation import Message
from slo_otel.plan import Outcome
from slo_otel_django.asgi import get_asgi_application
from tests.instrumentation.asgi_fake import exchange, http_scope
from tests.instrumentation.asgi_world import World, running
from tests.integrations.django import views
from tests.integrations.django.asking import ask_asgi
from tests.integrations.django.project import HERE, OURS, asgi

REQUEST: Message = {"type": "http.request", "body": b"", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


def test_a_stream_is_timed_to_its_last_part() -> None:
    """Four parts, 50 ms apart: 200 ms, not the time until the headers."""
    with running() as world:
        began = time.perf_counter()
        assert ask_asgi(asgi(), "/astream/").body == b"part" * 4
        assert 0.2 <= world.seconds() <= time.perf_counter() - began
        assert world.verdict() == "good"


def test_a_stream_that_breaks_keeps_its_status_and_is_bad() -> None:
    """The content raises after the first part; the server sees it too."""
    with running() as world:
        answer = ask_asgi(asgi(), "/alate/")
        key = world.key()
        assert world.verdict() == "bad"
    assert isinstance(answer.raised, ZeroDivisionError)
    assert (key.status, key.outcome, key.error_type) == (200, Outcome.EXCEPTION, "ZeroDivisionError")


def test_an_event_stream_is_judged_by_its_first_byte() -> None:
    """The first part leaves at once, the last 50 ms later; both are known."""
    with running() as world:
        ask_asgi(asgi(), "/aevents/")
        cell = world.one()
    assert cell.key.event_stream
    assert cell.first_byte is not None
    assert cell.duration is not None
    assert cell.duration.sum - cell.first_byte.sum > 0.045


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous")
def test_a_synchronous_stream_is_sent_whole() -> None:
    """Django takes all its parts before it sends any, so its first part is no first byte."""
    with running() as world:
        ask_asgi(asgi(), "/events/")
        assert not world.key().event_stream
        assert world.seconds() > 0.045


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous")
def test_a_file_is_sent_whole() -> None:
    """A file has no server of its own here; it arrives unchanged and is counted once."""
    with running() as world:
        assert ask_asgi(asgi(), "/file/").body == b"content" * 1000
        assert world.counts() == {("GET", "/file/", 200, Outcome.SUCCESS): 1}


def cancelled(world: World) -> tuple[Outcome, bool, int | None, str]:
    """The one event: its outcome, whether the server did it, its status and its verdict."""
    key = world.key()
    return key.outcome, key.by_server, key.status, world.verdict()


if django.VERSION >= (5, 0):  # before, it listens to no client that leaves

    def test_a_client_that_leaves_while_it_waits_cancels() -> None:
        """Django cancels the view; nobody got a status."""
        with running() as world:
            asyncio.run(exchange(asgi(), "/waiting/", incoming=[REQUEST, GONE]))
            assert cancelled(world) == (Outcome.CANCELLED, False, None, "excluded")

    def test_a_client_that_leaves_a_stream_cancels() -> None:
        """It had begun, so its status is known."""

        async def leave() -> None:
            begun = asyncio.Event()

            async def receive() -> Message:
                await begun.wait()
                return GONE

            async def request() -> Message:
                return REQUEST

            async def send(message: Message) -> None:
                if message.get("body"):
                    begun.set()

            calls = iter([request])
            await asgi()(http_scope("/endless/"), lambda: next(calls, receive)(), send)  # noqa: PLW0108 - one at each call

        with running() as world:
            asyncio.run(leave())
            assert cancelled(world) == (Outcome.CANCELLED, False, 200, "excluded")


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0)


def test_a_server_that_stops_cancels() -> None:
    """At the end of the loop every task is cancelled: the server's doing, and bad."""

    async def serve() -> None:
        views.entered.clear()
        asyncio.create_task(exchange(asgi(), "/waiting/")).add_done_callback(lambda _: None)
        await until(views.entered.is_set)

    with running() as world:
        asyncio.run(serve())
        assert cancelled(world) == (Outcome.CANCELLED, True, 500, "bad")


def test_a_server_that_gives_a_request_up_cancels() -> None:
    """A server that cancels its own task leaves Django's behind, which ends with the loop."""

    async def serve() -> None:
        views.entered.clear()
        task = asyncio.create_task(exchange(asgi(), "/waiting/"))
        await until(views.entered.is_set)
        task.cancel()
        await asyncio.sleep(0.01)

    with running() as world:
        asyncio.run(serve())
        assert cancelled(world) == (Outcome.CANCELLED, True, 500, "bad")


def test_a_stream_of_a_server_that_stops_is_cancelled_by_it() -> None:
    """The same for a stream that had begun."""

    async def serve() -> None:
        begun = asyncio.Event()

        async def on_send(message: Message) -> None:
            if message.get("body"):
                begun.set()

        asyncio.create_task(exchange(asgi(), "/endless/", on_send=on_send)).add_done_callback(lambda _: None)
        await begun.wait()

    with running() as world:
        asyncio.run(serve())
        assert cancelled(world) == (Outcome.CANCELLED, True, 200, "bad")


def test_a_stream_whose_server_stops_while_it_sends_is_cancelled_by_it() -> None:
    """Django then neither asks for another part nor closes the answer."""

    async def serve() -> None:
        sending = asyncio.Event()

        async def on_send(message: Message) -> None:
            if message.get("body"):
                sending.set()
                await asyncio.Event().wait()

        asyncio.create_task(exchange(asgi(), "/endless/", on_send=on_send)).add_done_callback(lambda _: None)
        await sending.wait()

    with running() as world:
        asyncio.run(serve())
        gc.collect()
        assert cancelled(world) == (Outcome.CANCELLED, True, 200, "bad")


def test_a_view_that_cancels_itself_is_no_client() -> None:
    """A `CancelledError` of the application's own is not the client's doing."""
    with running() as world:
        ask_asgi(asgi(), "/own-cancellation/")
        assert cancelled(world)[:2] == (Outcome.CANCELLED, True)


@pytest.mark.parametrize("neighbour", [None, "Asynchronous", "Synchronous"])
def test_no_thread_is_changed_for_our_sake(neighbour: str | None) -> None:
    """As many calls go to other threads as without ours, in front of neighbours of every kind."""
    inner = [] if neighbour is None else [f"{HERE}.middleware.{neighbour}"]
    with running():
        assert hops([OURS, *inner]) == hops(inner)


def hops(middleware: list[str]) -> int:
    """How many calls of a request went to another thread."""
    calls: list[object] = []
    app = asgi(middleware)
    run_in_executor = asyncio.BaseEventLoop.run_in_executor

    def counted(loop: asyncio.BaseEventLoop, executor: Any, func: Any, *args: Any) -> Any:
        calls.append(func)
        return run_in_executor(loop, executor, func, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.BaseEventLoop, "run_in_executor", counted)
        assert ask_asgi(app, "/aok/1/").body == b"ok"
    return len(calls)


def test_other_protocols_are_none_of_ours() -> None:
    """Django refuses a websocket by itself, and nothing is counted."""
    with running() as world:
        got = asyncio.run(exchange(asgi(), "/", type="websocket"))
        assert isinstance(got.raised, ValueError)
        assert world.counts() == {}


def test_the_application_with_a_lifespan_flushes_at_the_end() -> None:
    """A server that stops is told that it may go once what was counted is sent; requests are counted once."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message["type"])

    with running() as world:
        app = get_asgi_application()
        assert ask_asgi(app, "/ok/1/").body == b"ok"
        asyncio.run(app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))  # type: ignore[arg-type]  # a coroutine
        assert world.counts() == {("GET", "/ok/{id}/", 200, Outcome.SUCCESS): 1}
        assert len(world.flushed) == 1
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("path", ["/aok/1/", "/raising/boom/", "/drf/orders/"])
def test_a_synchronous_neighbour_changes_no_count(path: str) -> None:
    """Ours then runs in the thread of one that is synchronous only: the same event, also inside another one."""
    found = []
    for inner in ([], [f"{HERE}.middleware.Synchronous"]):
        for around in (lambda app: app, SLOMiddleware):
            with running() as world:
                app = around(asgi([OURS, *inner]))
                for _ in range(2):
                    ask_asgi(app, path, "POST", b"{", "application/json")
                found.append({cell.key: cell.count for cell in world.cells()})
    assert found == [found[0]] * 4
    assert list(found[0].values()) == [2]
