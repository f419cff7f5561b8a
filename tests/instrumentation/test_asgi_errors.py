"""`ServerErrorMiddleware` is passed by, and nobody can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from slo_otel.instrumentation import Receive, Scope, Send, instrument
from slo_otel.plan import Outcome
from tests.instrumentation.asgi_fake import Exchange, exchange
from tests.instrumentation.asgi_world import running

Handler = Callable[[Request, Exception], Awaitable[Response]]


class BrokenError(Exception):
    """What the application raises."""


async def raises(request: Request) -> Response:
    raise BrokenError("the cause")


async def refuses(request: Request) -> Response:
    raise HTTPException(418, "no")


async def breaks(request: Request) -> Response:
    async def chunks() -> object:
        yield b"some"
        raise BrokenError("in the middle")

    return StreamingResponse(chunks())  # type: ignore[arg-type]  # an async generator that raises


async def finishes(request: Request) -> Response:
    return PlainTextResponse("ok")


async def fails_later(request: Request) -> Response:
    return PlainTextResponse("ok", background=BackgroundTask(fail))


def fail() -> None:
    raise BrokenError("in the background")


async def apologises(request: Request, fault: Exception) -> Response:
    return PlainTextResponse(f"sorry: {fault}", 503)


async def stumbles(request: Request, fault: Exception) -> Response:
    raise KeyError("the handler itself")


def service(*, debug: bool = False, handler: Handler | None = None) -> Starlette:
    """An application whose outermost middleware has something to do."""
    routes = [Route(f"/{each.__name__}", each) for each in (raises, refuses, breaks, finishes, fails_later)]
    app = Starlette(routes=routes, debug=debug)
    if handler is not None:
        app.add_exception_handler(Exception, handler)
    return app


def shown(seen: Exchange) -> tuple[object, ...]:
    """What the client got, and what the server: the exception, and what came before it."""
    fault = seen.raised
    body = seen.body if seen.status != 500 or len(seen.body) < 100 else b"a page for developers"
    return seen.status, body, repr(fault), repr(fault.__context__) if fault else None


@pytest.mark.parametrize("path", ["/raises", "/refuses", "/breaks", "/finishes", "/fails_later", "/nowhere"])
@pytest.mark.parametrize("handler", [None, apologises, stumbles])
@pytest.mark.parametrize("debug", [False, True])
def test_an_application_answers_and_raises_as_it_does_alone(
    path: str, handler: Handler | None, *, debug: bool
) -> None:
    """Status, body, the exception and its context, before the answer, in it, with a handler and a debug page."""
    with running():
        mine = asyncio.run(exchange(instrument(service(debug=debug, handler=handler)), path))
    alone = asyncio.run(exchange(service(debug=debug, handler=handler), path))
    if alone.messages:
        assert shown(mine) == shown(alone)
    else:
        assert (mine.messages, repr(mine.raised)) == ([], repr(alone.raised))


@pytest.mark.parametrize("path", ["/raises", "/breaks", "/fails_later"])
def test_the_handler_is_called_for_every_exception_and_its_answer_goes_no_further_than_alone(path: str) -> None:
    """Also once an answer has begun: then what it returns is dropped, and no background task of that runs."""
    said: dict[str, list[str]] = {"mine": [], "alone": []}

    def telling(whose: str) -> Handler:
        async def handler(request: Request, fault: Exception) -> Response:
            said[whose].append(str(fault))
            return PlainTextResponse("sorry", 503, background=BackgroundTask(said[whose].append, "later"))

        return handler

    with running():
        mine = asyncio.run(exchange(instrument(service(handler=telling("mine"))), path))
    alone = asyncio.run(exchange(service(handler=telling("alone")), path))
    assert shown(mine) == shown(alone)
    assert said["mine"] == said["alone"] != []


def test_a_request_is_measured_and_not_sent_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain answer, and the exception with its class."""
    through: list[object] = []
    genuine = ServerErrorMiddleware.__init__

    def made(self: ServerErrorMiddleware, *args: object, **kwargs: object) -> None:
        through.append(self)
        genuine(self, *args, **kwargs)  # type: ignore[arg-type]  # whatever came

    with running() as world:
        app = instrument(service())
        assert asyncio.run(exchange(app, "/finishes")).status == 200
        monkeypatch.setattr(ServerErrorMiddleware, "__init__", made)
        assert asyncio.run(exchange(app, "/finishes")).status == 200
        assert through == []
        assert asyncio.run(exchange(app, "/raises")).status == 500
        assert len(through) == 1
        assert world.last(2).outcome is Outcome.EXCEPTION


def test_one_that_somebody_changed_is_not_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing agents put their own function in the place of its call, and expect to see every request."""
    seen: list[str] = []
    genuine = ServerErrorMiddleware.__call__

    async def traced(self: ServerErrorMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])
        await genuine(self, scope, receive, send)

    monkeypatch.setattr(ServerErrorMiddleware, "__call__", traced)
    with running() as world:
        app = instrument(service())
        for path in ("/finishes", "/raises"):
            asyncio.run(exchange(app, path))
        assert world.last(1).outcome is Outcome.EXCEPTION
    assert seen == ["/finishes", "/raises"]


def test_what_is_put_into_it_later_serves() -> None:
    """Other libraries wrap what it wraps, in the stack that is built already."""
    seen: list[str] = []
    with running():
        app = service()
        asyncio.run(exchange(app, "/finishes"))
        stack = app.middleware_stack
        assert isinstance(stack, ServerErrorMiddleware)
        instrument(app)
        below = stack.app

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["path"])
            await below(scope, receive, send)

        stack.app = wrapped
        assert asyncio.run(exchange(app, "/finishes")).status == 200
    assert seen == ["/finishes"]
