"""What handlers, streams and dependencies of both frameworks may do while their request is open."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import anyio
import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from slo_otel.instrumentation import (
    Message,
    Receive,
    Scope,
    Send,
    SLOMiddleware,
    current_event,
    instrument,
    tag,
    track,
)
from slo_otel.plan import Outcome
from slo_otel.recorder import tally
from tests.instrumentation.asgi_fake import Exchange, exchange
from tests.instrumentation.asgi_world import World, running
from tests.instrumentation.events_world import Verdicts, compiled

Endpoint: TypeAlias = Callable[[Request], object]
Make: TypeAlias = Callable[[Mapping[str, Endpoint]], Starlette]

POLICY = """
version: slo/v1
service: shop
categories: {money: {}, card: {}}
attributes: {tenant_id: tenant}
slos:
  - {name: money, sli: {success: money}, objective: 99%, keep: [tenant]}
  - {name: all, sli: {success: http}, objective: 99%}
  - {name: failures, sli: {errors: http}, objective: 99%}
  - {name: first-byte, sli: {latency: http, until: first_byte}, objective: p95 < 2s}
"""


def on_starlette(endpoints: Mapping[str, Endpoint]) -> Starlette:
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in endpoints.items()])


def on_fastapi(endpoints: Mapping[str, Endpoint]) -> Starlette:
    app = FastAPI()
    for path, endpoint in endpoints.items():
        app.add_api_route(path, endpoint, methods=["GET", "HEAD"])
    return app


@pytest.fixture(params=[on_starlette, on_fastapi], ids=["starlette", "fastapi"])
def make(request: pytest.FixtureRequest) -> Make:
    """An application of each framework."""
    made: Make = request.param
    return made


@pytest.fixture
def world() -> Iterator[World]:
    """A runtime with the policy above."""
    with running(compiled(POLICY)) as found:
        yield found


def verdicts(world: World, indicator: str) -> Verdicts:
    total = Verdicts()
    for cell in world.recorder.snapshot(0, 0).cells:
        for judgement in cell.judgements:
            if judgement.indicator == indicator:
                found = tally(cell, judgement.ruling)
                total = Verdicts(total.good + found.good, total.bad + found.bad, total.excluded + found.excluded)
    return total


def ask(app: Starlette, path: str = "/", method: str = "GET") -> Exchange:
    return asyncio.run(exchange(app, path, method))


async def said_in_async_stream(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        current_event().set(reason="half", tenant=7)
        yield b"two"

    return StreamingResponse(chunks())


async def said_in_sync_stream(request: Request) -> Response:
    def chunks() -> Iterator[bytes]:
        yield b"one"
        current_event().set(reason="half", tenant=7)
        yield b"two"

    return StreamingResponse(chunks())


@pytest.mark.parametrize("endpoint", [said_in_async_stream, said_in_sync_stream])
def test_a_stream_reaches_the_event_of_its_request(make: Make, endpoint: Endpoint, world: World) -> None:
    """`current_event()` in the generator of a StreamingResponse, async or in worker threads, is the request's."""
    ask(instrument(make({"/": endpoint})))
    key = world.key()
    assert (key.reason, key.attributes, key.outcome) == ("half", (("tenant", "7"),), Outcome.SUCCESS)
    assert world.limit("detached_events") == 0


def test_dependencies_of_every_kind_reach_the_event(world: World) -> None:
    """Async, sync and yielding dependencies and a sync handler all speak of the one request."""

    async def a() -> None:
        current_event().set(reason="first")

    def b() -> None:
        current_event().set(tenant="acme")

    async def c() -> AsyncIterator[None]:
        current_event().set(category="money")
        yield

    def d() -> Iterator[None]:
        current_event().set(reason="last")
        yield

    app = FastAPI()

    @app.get("/", dependencies=[Depends(each) for each in (a, b, c, d)])
    def handler() -> None:
        current_event().bad()

    ask(instrument(app))
    key = world.key()
    assert (key.reason, key.attributes, key.names, str(key.overrule)) == (
        "last",
        (("tenant", "acme"),),
        ("money",),
        "bad",
    )


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_dependency_that_fails_after_the_response(status: int, world: World, *, is_async: bool) -> None:
    """Its fault changes no answer below 500 and is counted apart; a held 503 becomes the exception it was."""

    async def fails() -> AsyncIterator[None]:
        yield
        raise ZeroDivisionError

    def fails_in_thread() -> Iterator[None]:
        yield
        raise ZeroDivisionError

    app = FastAPI()

    @app.get("/", dependencies=[Depends(fails if is_async else fails_in_thread)])
    async def handler() -> Response:
        return PlainTextResponse("", status)

    answer = ask(instrument(app))
    key = world.key()
    assert isinstance(answer.raised, ZeroDivisionError)
    assert (answer.status, key.status) == (status, status)
    assert key.outcome is (Outcome.SUCCESS if status == 200 else Outcome.EXCEPTION)
    assert world.limit("after_body_errors") == int(status == 200)


def test_a_dependency_that_ends_after_the_response_is_too_late(world: World) -> None:
    """What it says of the request then is said of nobody, after a 200 as after a held 503."""

    async def late() -> AsyncIterator[None]:
        yield
        current_event().bad("too late")

    app = FastAPI(dependencies=[Depends(late)])

    @app.get("/{code}")
    async def handler(code: int) -> Response:
        return PlainTextResponse("", code)

    instrument(app)
    for code in (200, 503):
        ask(app, f"/{code}")
    assert {(cell.key.status, cell.key.overrule) for cell in world.cells()} == {(200, None), (503, None)}
    assert world.limit("detached_events") == 2


@pytest.mark.parametrize("status", [500, 503, 422])
def test_an_http_exception_by_hand_is_the_answer_it_makes(make: Make, status: int, world: World) -> None:
    """A hand-raised 500 is an error without an error type, no exception; nothing gives it a reason."""

    async def refuses(request: Request) -> Response:
        raise HTTPException(status)

    ask(instrument(make({"/": refuses})))
    key = world.key()
    expected = Outcome.REJECTED if status == 422 else Outcome.ERROR
    assert (key.status, key.outcome, key.error_type, key.reason) == (status, expected, None, None)


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


async def not_modified(request: Request) -> Response:
    return Response(status_code=304)


def test_head_and_304_are_answers(make: Make, world: World) -> None:
    """HEAD is a method of its own; 304 is a success that the default `2xx` does not call good."""
    app = instrument(make({"/": ok, "/cached": not_modified}))
    for path, method in (("/", "HEAD"), ("/cached", "GET"), ("/cached", "HEAD")):
        ask(app, path, method)
    assert world.counts() == {
        ("HEAD", "/", 200, Outcome.SUCCESS): 1,
        ("GET", "/cached", 304, Outcome.SUCCESS): 1,
        ("HEAD", "/cached", 304, Outcome.SUCCESS): 1,
    }
    assert verdicts(world, "all") == Verdicts(good=1, bad=2)
    assert verdicts(world, "failures") == Verdicts(good=3)


# Time limits, by asyncio and by anyio.


async def asyncio_limit(request: Request) -> Response:
    async with asyncio.timeout(0.01):
        await asyncio.sleep(60)
    return PlainTextResponse("never")


async def asyncio_limit_handled(request: Request) -> Response:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
    except TimeoutError:
        return PlainTextResponse("later", 504)
    return PlainTextResponse("never")


async def anyio_limit(request: Request) -> Response:
    with anyio.fail_after(0.01):
        await anyio.sleep(60)
    return PlainTextResponse("never")


async def anyio_gives_up(request: Request) -> Response:
    with anyio.move_on_after(0.01) as scope:
        await anyio.sleep(60)
    return PlainTextResponse("partial" if scope.cancelled_caught else "never")


async def anyio_cancels_a_part(request: Request) -> Response:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, 60)
        tasks.cancel_scope.cancel()
    return PlainTextResponse("ok")


@pytest.mark.parametrize(
    ("endpoint", "status", "outcome", "reason"),
    [
        (asyncio_limit, 500, Outcome.TIMEOUT, "timeout"),
        (asyncio_limit_handled, 504, Outcome.ERROR, None),
        (anyio_limit, 500, Outcome.TIMEOUT, "timeout"),
        (anyio_gives_up, 200, Outcome.SUCCESS, None),
        (anyio_cancels_a_part, 200, Outcome.SUCCESS, None),
    ],
)
def test_a_limit_inside_the_handler_is_what_the_handler_makes_of_it(
    make: Make, endpoint: Endpoint, status: int, outcome: Outcome, reason: str | None, world: World
) -> None:
    """A TimeoutError that leaves the handler is a timeout; one that it answers is that answer."""
    ask(instrument(make({"/": endpoint})))
    key = world.key()
    assert (key.status, key.outcome, key.reason) == (status, outcome, reason)
    bad = Verdicts(good=1) if outcome is Outcome.SUCCESS else Verdicts(bad=1)
    assert verdicts(world, "all") == verdicts(world, "failures") == bad


async def asleep(request: Request) -> Response:
    await asyncio.sleep(60)
    return PlainTextResponse("never")


async def asleep_in_a_group(request: Request) -> Response:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, 60)
    return PlainTextResponse("never")


async def asleep_in_a_stream(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(60)

    return StreamingResponse(chunks())


async def _by_asyncio(app: Starlette) -> None:
    async with asyncio.timeout(0.02):
        await app({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, _wait, _drop)


async def _by_anyio(app: Starlette) -> None:
    with anyio.fail_after(0.02):
        await app({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, _wait, _drop)


async def _wait() -> dict[str, object]:
    await asyncio.Event().wait()
    return {}


async def _drop(message: object) -> None:
    """A client that reads everything."""


@pytest.mark.parametrize("limit", [_by_asyncio, _by_anyio])
@pytest.mark.parametrize("endpoint", [asleep, asleep_in_a_group, asleep_in_a_stream])
def test_a_limit_around_the_application_is_the_servers_cancellation(
    make: Make, endpoint: Endpoint, limit: Callable[[Starlette], object], world: World
) -> None:
    """Seen from inside, a server's limit is a cancellation with its own reason, bad in every form."""
    with pytest.raises(TimeoutError):
        asyncio.run(limit(instrument(make({"/": endpoint}))))  # type: ignore[arg-type]  # both are coroutines
    key = world.key()
    assert (key.outcome, key.by_server, key.reason) == (Outcome.CANCELLED, True, "server_cancelled")
    assert verdicts(world, "all") == verdicts(world, "failures") == Verdicts(bad=1)
    assert verdicts(world, "first-byte") == Verdicts(bad=1)


# A client that leaves before it got anything.


async def polls(request: Request) -> Response:
    while not await request.is_disconnected():  # noqa: ASYNC110 - what such handlers do
        await asyncio.sleep(0)
    return PlainTextResponse("to nobody")


async def no_first_byte(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        await asyncio.sleep(60)
        yield b"never"

    return StreamingResponse(chunks(), media_type="text/event-stream")


@pytest.mark.parametrize("endpoint", [polls, no_first_byte])
def test_leaving_before_the_first_byte_is_excluded_where_that_is_timed(
    make: Make, endpoint: Endpoint, world: World
) -> None:
    """It knows no status, and the time to a byte that never came is neither good nor slow while it was quick."""
    app = instrument(make({"/": endpoint}))
    asyncio.run(exchange(app, "/", incoming=[{"type": "http.disconnect"}] * 3))
    key = world.key()
    assert (key.outcome, key.by_server, key.status) == (Outcome.CANCELLED, False, None)
    assert verdicts(world, "first-byte") == Verdicts(excluded=1)
    assert verdicts(world, "all") == Verdicts(excluded=1)


def test_an_empty_chunk_is_no_first_byte() -> None:
    """Servers flush headers with an empty body message; the first byte is the first one that is there."""
    now = 1.0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal now
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        now += 3.0
        await send({"type": "http.response.body", "body": b"data", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    with running(compiled(POLICY), perf=lambda: now) as world:
        asyncio.run(exchange(SLOMiddleware(app)))
        assert verdicts(world, "first-byte") == Verdicts(bad=1)


# Nested events below a request.


class CardError(Exception):
    """A charge that failed."""


@track("money", operation="charge", bad=(CardError,))
async def charge(*, fails: bool) -> None:
    """An inner event of the request's category."""
    if fails:
        raise CardError


@track("money", operation="refund", bad=(CardError,))
def refund(*, fails: bool) -> None:
    """Another operation of the same category."""
    if fails:
        raise CardError


def calling(steps: Sequence[str]) -> Endpoint:
    """A handler of the category that makes inner calls and answers 200 whatever they did."""

    @tag("money")
    async def handler(request: Request) -> Response:
        for step in steps:
            try:
                if step.startswith("charge"):
                    await charge(fails=step.endswith("fails"))
                elif step.startswith("refund"):
                    refund(fails=step.endswith("fails"))
                else:
                    getattr(current_event(), step)()
            except CardError:
                pass
        return PlainTextResponse("done")

    return handler


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (("charge", "refund"), Verdicts(good=1)),
        (("charge fails",), Verdicts(bad=1)),
        (("charge fails", "charge"), Verdicts(good=1)),
        (("charge", "charge fails"), Verdicts(bad=1)),
        (("charge fails", "refund"), Verdicts(bad=1)),
        (("charge fails", "refund fails", "charge"), Verdicts(bad=1)),
        (("charge fails", "refund fails", "charge", "refund"), Verdicts(good=1)),
        (("good", "charge fails"), Verdicts(good=1)),
        (("charge fails", "good"), Verdicts(good=1)),
        (("bad", "charge"), Verdicts(bad=1)),
        (("charge fails", "exclude"), Verdicts(excluded=1)),
    ],
)
def test_inner_calls_of_the_requests_category_are_part_of_it(
    make: Make, steps: Sequence[str], expected: Verdicts, world: World
) -> None:
    """One event whatever was called: bad when an operation last failed, and code's own word overrules that."""
    app = instrument(make({"/": calling(steps)}))
    for _ in range(2):
        ask(app)
    assert verdicts(world, "money") == Verdicts(*(2 * count for count in expected))
    assert sum(cell.count for cell in world.recorder.snapshot(0, 0).cells) == 2


def test_an_inner_failure_is_no_failure_of_slos_that_match_otherwise(make: Make, world: World) -> None:
    """The SLO over every request, which the category did not lead to, sees the 200 that was answered."""
    ask(instrument(make({"/": calling(("charge fails",))})))
    assert verdicts(world, "money") == Verdicts(bad=1)
    assert verdicts(world, "all") == Verdicts(good=1)


@track("money", operation="tokens")
async def async_tokens() -> AsyncIterator[bytes]:
    """A stream of the request's category."""
    while True:
        yield b"token"
        await asyncio.sleep(0)


@track("money", operation="tokens")
def tokens() -> Iterator[bytes]:
    """The same in worker threads."""
    while True:
        yield b"token"


@pytest.mark.parametrize("source", [async_tokens, tokens])
@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_a_tracked_stream_that_outlives_its_request_is_no_second_event(
    make: Make, source: Callable[[], object], version: str, world: World
) -> None:
    """The client leaves while a chunk is sent; the suspended generator is closed when the request is over."""

    @tag("money")
    async def handler(request: Request) -> Response:
        return StreamingResponse(source())  # type: ignore[arg-type]  # either kind of iterator

    sent = 0

    async def leaves(message: Message) -> None:
        nonlocal sent
        sent += message["type"] == "http.response.body"
        if sent == 3:
            raise OSError("gone")

    async def serve() -> None:
        await exchange(app, "/", on_send=leaves, asgi={"version": "3.0", "spec_version": version})
        gc.collect()
        for _ in range(10):  # the loop's own task that closes what was collected
            await asyncio.sleep(0)

    app = instrument(make({"/": handler}))
    asyncio.run(serve())
    gc.collect()
    assert verdicts(world, "money") == Verdicts(excluded=1)
    assert world.key().outcome is Outcome.CANCELLED
    assert [cell.key.kind for cell in world.recorder.snapshot(0, 0).cells if cell.count] == ["http"]
