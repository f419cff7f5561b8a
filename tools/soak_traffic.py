"""Requests of which no two are alike: every path, method, host, attribute value and reason is new.

A request knows what it means to the SLO `requests` of `POLICY`, so that the driver can add up what must come out.
Everything is served in the caller's loop, without a server: what is soaked is the middleware and what is behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NoReturn

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import slo_otel
from slo_otel.instrumentation import Message, Receive, Scope, Send

POLICY: Final = """\
version: slo/v1
service: soak
defaults: {window: 1h, min_events: 1, budget_alerts: none}
slos:
  - {name: requests, sli: {errors: http, cancelled: bad after 60s}, objective: 99%}
  - {name: routes, sli: {success: http, exclude: rejected if reason=known-3}, objective: 99%, per: route}
  - {name: tenants, sli: {success: http}, objective: 99%, per: tenant, keep: [status]}
  - {name: speed, sli: {latency: http}, objective: p99 < 100ms}
  - {name: orders, sli: {latency: "POST /orders/{id}", until: first_byte}, objective: p90 < 250ms}
"""
"""One SLO counts every request, the others look at routes, tenants, reasons, statuses and durations.

Without the 60 s a client that left would count as bad after the 100 ms of `speed`, so a pause of a busy machine
would.
"""

TENANTS: Final = 100
REASONS: Final = 20
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT")
COMBINATIONS: Final = TENANTS * REASONS * len(METHODS)
"""Distinct series that come round again: more than the registry takes, so that it is full for most of the run."""

Scenario = Callable[[int], tuple[str, Awaitable[None]]]
"""From the number of a request to what it must count as, and its serving."""

_BODY: Final[Message] = {"type": "http.response.body", "body": b"ok"}
_STARTS: Final[dict[int, Message]] = {
    status: {"type": "http.response.start", "status": status, "headers": []} for status in (200, 404, 503)
}


class UnluckyError(Exception):
    """What an application raises; every request brings a subclass of its own."""


async def receive() -> Message:
    """A body of nothing."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def sent(_message: Message) -> None:
    """A server that takes everything."""


async def lost(_message: Message) -> NoReturn:
    """A client that has gone."""
    raise OSError("connection lost")


def scope_of(number: int, path: str, method: str, serve: Callable[[], None] | None = None) -> Scope:
    """A request that nobody has sent before."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": b"page=%d" % number,
        "headers": [(b"host", b"h%d.example" % number), (b"user-agent", b"agent/%d" % number)],
        "client": ("10.0.0.1", number % 60_000),
        "serve": serve,
    }


async def application(scope: Scope, _receive: Receive, send: Send) -> None:
    """Does what the request says, then answers with the status that it asks for."""
    status: int = scope["status"]
    if scope["serve"] is not None:
        scope["serve"]()
    await send(_STARTS[status])
    await send(_BODY)


async def _page(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def _broken(request: Request) -> PlainTextResponse:
    raise type(f"Broken{request.path_params['id']}", (UnluckyError,), {})


def routed() -> Starlette:
    """An application with parameters in routes and mounts, and with a route that fails."""
    shop = [Route("/items/{item}", _page), Route("/items/{item}/broken/{id}", _broken)]
    return Starlette(
        routes=[
            Route("/orders/{id}", _page, methods=["POST", "GET"]),
            Mount("/shops/{shop}", routes=shop),
            Mount("/static", routes=[Route("/{file:path}", _page)]),
        ]
    )


class Traffic:
    """Serves request after request, and adds up what each must have counted as."""

    def __init__(self) -> None:
        self.expected: Counter[str] = Counter()
        """Requests by the verdict of the SLO `requests`."""
        self._bare = slo_otel.SLOMiddleware(application)
        self._starlette = slo_otel.SLOMiddleware(routed())
        # Of every hundred requests. The costly ones are rare, and still more than any limit there is.
        self._plan: tuple[Scenario, ...] = tuple(self._schedule())

    def _schedule(self) -> Iterator[Scenario]:
        shares: tuple[tuple[Scenario, int], ...] = (
            (self._unrouted, 82),
            (self._routed, 6),
            (self._attributed, 4),
            (self._returning, 4),
            (self._left, 2),
            (self._raising, 1),
            (self._telling, 1),
        )
        for scenario, share in shares:
            yield from (scenario for _ in range(share))

    async def serve(self, numbers: range) -> None:
        """One request for each number."""
        plan, expected = self._plan, self.expected
        for number in numbers:
            # The first ones bring every series that comes round, so that memory is judged with a full registry.
            scenario = self._returning if number < COMBINATIONS else plan[number % 100]
            verdict, served = scenario(number)
            expected[verdict] += 1
            try:
                await served
            except (UnluckyError, OSError):
                continue

    def _unrouted(self, number: int) -> tuple[str, Awaitable[None]]:
        """No route, and every fourth method is one that nobody knows."""
        method = f"M{number}" if number % 4 == 0 else METHODS[number % len(METHODS)]
        scope = scope_of(number, f"/users/{number}/profile", method)
        status = scope["status"] = 503 if number % 16 == 1 else 404 if number % 16 == 2 else 200
        return "bad" if status == 503 else "good", self._bare(scope, receive, sent)

    def _routed(self, number: int) -> tuple[str, Awaitable[None]]:
        """Routes, mounts, a 404, a 405 and an exception below a framework."""
        method, path, verdict = (
            ("POST", f"/orders/{number}", "good"),
            ("DELETE", f"/orders/{number}", "good"),
            ("GET", f"/shops/{number}/items/{number}", "good"),
            ("GET", f"/shops/{number}/items/1/broken/{number}", "bad"),
            ("GET", f"/static/{number}/logo.png", "good"),
            ("GET", f"/nowhere/{number}", "good"),
            (f"M{number}", f"/shops/{number}", "good"),
        )[number // 100 % 7]
        return verdict, self._starlette(scope_of(number, path, method), receive, sent)

    def _attributed(self, number: int) -> tuple[str, Awaitable[None]]:
        """Code that makes attribute values, reasons and operations from data."""

        def serve() -> None:
            event = slo_otel.current_event()
            event.set(tenant=f"tenant-{number}", reason=f"because {number}", operation=f"op-{number}")

        scope = scope_of(number, f"/accounts/{number}", "POST", serve)
        scope["status"] = 404
        return "good", self._bare(scope, receive, sent)

    def _returning(self, number: int) -> tuple[str, Awaitable[None]]:
        """Values that come round: a few tenants and reasons, which together are more than the registry takes."""
        rest, method = divmod(number % COMBINATIONS, len(METHODS))
        reason, tenant = divmod(rest, TENANTS)

        def serve() -> None:
            slo_otel.current_event().set(tenant=f"known-{tenant}", reason=f"known-{reason}")

        scope = scope_of(number, f"/tenants/{number}", METHODS[method], serve)
        scope["status"] = 200
        return "good", self._bare(scope, receive, sent)

    def _left(self, number: int) -> tuple[str, Awaitable[None]]:
        """A client that is gone before its answer."""
        scope = scope_of(number, f"/left/{number}", "GET")
        scope["status"] = 200
        return "excluded", self._bare(scope, receive, lost)

    def _raising(self, number: int) -> tuple[str, Awaitable[None]]:
        """An exception of a class that was not there before."""

        def serve() -> NoReturn:
            raise type(f"Unlucky{number}", (UnluckyError,), {})

        scope = scope_of(number, f"/raises/{number}", "GET", serve)
        scope["status"] = 200
        return "bad", self._bare(scope, receive, sent)

    def _telling(self, number: int) -> tuple[str, Awaitable[None]]:
        """Gauges, and things that begin and finish, whose names and keys are made from data."""

        def serve() -> None:
            slo_otel.gauge("depth", number, tenant=f"tenant-{number}")
            slo_otel.gauge(f"depth.{number}", 1)
            slo_otel.begin("review", key=number, tenant=f"tenant-{number}")
            slo_otel.finish("review", key=number)

        scope = scope_of(number, f"/tells/{number}", "GET", serve)
        scope["status"] = 200
        return "good", self._bare(scope, receive, sent)
