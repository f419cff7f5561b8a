"""The same service on Starlette and on FastAPI: one route for each line of the outcome table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

App: TypeAlias = Starlette
Endpoint: TypeAlias = Callable[[Request], object]


class KnownError(Exception):
    """Handled by an exception handler of the service."""


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


def threaded(request: Request) -> Response:
    return PlainTextResponse("ok")


async def answer(request: Request) -> Response:
    return PlainTextResponse("", status_code=int(request.path_params["code"]))


async def boom(request: Request) -> Response:
    raise ZeroDivisionError("boom")


async def known(request: Request) -> Response:
    raise KnownError


async def timed_out(request: Request) -> Response:
    raise TimeoutError("the database did not answer")


async def network(request: Request) -> Response:
    raise ConnectionResetError("an upstream, not the client")


async def hand_raised(request: Request) -> Response:
    raise HTTPException(422)


async def hand_returned(request: Request) -> Response:
    return JSONResponse({"detail": "no"}, status_code=422)


async def late(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        raise ZeroDivisionError("after the start")

    return StreamingResponse(chunks())


async def background(request: Request) -> Response:
    async def fails() -> None:
        raise ZeroDivisionError("in the background")

    return PlainTextResponse("ok", background=BackgroundTask(fails))


async def stream(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.05)
            yield b"chunk"

    return StreamingResponse(chunks())


async def events(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await asyncio.sleep(0.02)
        yield b"data: 2\n\n"

    return StreamingResponse(chunks(), media_type="text/event-stream")


async def endless(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"chunk"
            await asyncio.sleep(0.005)

    return StreamingResponse(chunks())


async def polling(request: Request) -> Response:
    while not await request.is_disconnected():  # noqa: ASYNC110 - what such handlers do
        await asyncio.sleep(0.005)
    return PlainTextResponse("nobody reads this")


async def waiting(request: Request) -> Response:
    await asyncio.sleep(60)
    return PlainTextResponse("late")


async def reading(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def handle_known(request: Request, error: Exception) -> Response:
    return PlainTextResponse("handled", status_code=409)


ROUTES: dict[str, Endpoint] = {
    "/ok/{id}": ok,
    "/threaded/{id}": threaded,
    "/answer/{code}": answer,
    "/boom": boom,
    "/known": known,
    "/timeout": timed_out,
    "/network": network,
    "/hand-raised": hand_raised,
    "/hand-returned": hand_returned,
    "/late": late,
    "/background": background,
    "/stream": stream,
    "/events": events,
    "/endless": endless,
    "/polling": polling,
    "/waiting": waiting,
    "/reading": reading,
}
_METHODS = {"/reading": ["POST"]}


def starlette_app(middleware: Sequence[Middleware] = ()) -> App:
    """The service on Starlette."""
    routes: list[BaseRoute] = [
        Route(path, endpoint, methods=_METHODS.get(path, ["GET"])) for path, endpoint in ROUTES.items()
    ]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={KnownError: handle_known})


def fastapi_app(middleware: Sequence[Middleware] = ()) -> App:
    """The service on FastAPI, with real API routes."""
    app = FastAPI(middleware=middleware, exception_handlers={KnownError: handle_known})
    for path, endpoint in ROUTES.items():
        app.add_api_route(path, endpoint, methods=_METHODS.get(path, ["GET"]))
    return app


MAKERS: dict[str, Callable[..., App]] = {"starlette": starlette_app, "fastapi": fastapi_app}
