"""Route templates: full through mounts, includes and prefixes, never concrete, and matched at most once."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from slo_otel import errors
from slo_otel.instrumentation import ASGIApp, Event, Receive, Scope, Send, SLOMiddleware, instrument, tag
from slo_otel.instrumentation._asgi_requests import Course, Requests
from slo_otel.instrumentation._context import Frame
from tests.instrumentation.asgi_fake import exchange
from tests.instrumentation.asgi_world import World, running


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


@tag("money")
async def spend(request: Request) -> Response:
    return PlainTextResponse("spent")


def starlette_service() -> Starlette:
    """Mounts in mounts, a mount with a parameter, a host, a file server, an application of an unknown kind."""

    async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
        await Route("/deep/{thing}", ok)(dict(scope, path="/deep/1", root_path=""), receive, send)

    return Starlette(
        routes=[
            Route("/", ok),
            Route("/plain/{x:int}", ok, methods=["GET", "POST"]),
            Route("/files/{rest:path}", ok),
            Mount("/static", StaticFiles(directory=".", check_dir=False)),
            Mount("/opaque", opaque),
            Mount("/v1", routes=[Route("/a", ok), Mount("/n/{id}", routes=[Route("/b/{y}", spend)])]),
            Host("{org}.example.org", Router([Route("/hosted/{z}", ok)])),
            Mount("/{tenant}", routes=[Route("/", ok), Route("/orders/{order}", spend)]),
        ]
    )


def fastapi_service() -> FastAPI:
    """Routers included lazily, twice and in each other, sub-applications mounted twice, a plain Starlette route."""
    items = APIRouter(prefix="/items")

    @items.get("/{item}")
    @tag("money")
    async def item(item: int) -> int:
        return item

    tenants = APIRouter(prefix="/tenants/{tenant}")
    tenants.include_router(items)
    sub = FastAPI()
    sub.include_router(items, prefix="/inner")

    @sub.get("/direct/{x}")
    async def direct(x: int) -> int:
        return x

    once = APIRouter()

    @once.post("/once/{x}")
    async def only(x: int) -> int:
        return x

    once.add_route("/raw/{x}", ok)
    once.mount("/mounted", sub)
    app = FastAPI()
    app.include_router(items, prefix="/v1")
    app.include_router(items, prefix="/v2")
    app.include_router(tenants)
    app.include_router(once, prefix="/in")
    app.mount("/sub", sub)
    app.mount("/other/{org}", sub)
    app.mount("/static", StaticFiles(directory=".", check_dir=False))
    app.add_route("/raw/{x}", ok)
    return app


STARLETTE = [
    ("/", "/", 200),
    ("/plain/7", "/plain/{x}", 200),
    ("/plain/seven", "unmatched", 404),
    ("/files/a/b/c", "/files/{rest}", 200),
    ("/static/no-such-file", "/static/{path}", 404),
    ("/opaque/what/ever", "/opaque/{path}", 200),
    ("/v1/a", "/v1/a", 200),
    ("/v1/n/5/b/6", "/v1/n/{id}/b/{y}", 200),
    ("/v1/n/5/nowhere", "unmatched", 404),
    ("/acme/orders/9", "/{tenant}/orders/{order}", 200),
    ("/umbrella/orders/9", "/{tenant}/orders/{order}", 200),
    ("/acme/", "/{tenant}/", 200),
    ("/acme/nowhere", "unmatched", 404),
    ("/a/b/c/d", "unmatched", 404),
]
FASTAPI = [
    ("/v1/items/1", "/v1/items/{item}", 200),
    ("/v2/items/1", "/v2/items/{item}", 200),
    ("/tenants/acme/items/1", "/tenants/{tenant}/items/{item}", 200),
    ("/v1/items/x", "/v1/items/{item}", 422),
    ("/in/once/1", "/in/once/{x}", 405),
    ("/in/raw/1", "/in/raw/{x}", 200),
    ("/in/mounted/direct/1", "/in/mounted/direct/{x}", 200),
    ("/in/mounted/inner/items/1", "/in/mounted/inner/items/{item}", 200),
    ("/sub/direct/1", "/sub/direct/{x}", 200),
    ("/sub/inner/items/1", "/sub/inner/items/{item}", 200),
    ("/other/acme/direct/1", "/other/{org}/direct/{x}", 200),
    ("/other/acme/nowhere", "unmatched", 404),
    ("/sub/docs", "/sub/docs", 200),
    ("/static/no-such-file", "/static/{path}", 404),
    ("/raw/1", "/raw/{x}", 200),
    ("/docs", "/docs", 200),
    ("/openapi.json", "/openapi.json", 200),
    ("/nowhere", "unmatched", 404),
    ("/v1/items/", "unmatched", 404),
]
SERVICES: dict[str, Callable[[], Starlette]] = {"starlette": starlette_service, "fastapi": fastapi_service}
CASES = [("starlette", *case) for case in STARLETTE] + [("fastapi", *case) for case in FASTAPI]


def ask(app: ASGIApp, path: str, method: str = "GET", **extra: Any) -> int:
    answer = asyncio.run(exchange(app, path, method, **extra))
    return answer.status


def routes(world: World) -> dict[str | None, int]:
    total: Counter[str | None] = Counter()
    for cell in world.cells():
        total[cell.key.route] += cell.count
    return dict(total)


@pytest.mark.parametrize(("service", "path", "template", "status"), CASES)
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_template_is_the_full_one(
    service: str, path: str, template: str, status: int, *, wrapped: bool
) -> None:
    """Each request is counted under its full template, three times the same, in place or as a wrapper."""
    app: ASGIApp = SERVICES[service]()
    with running() as world:
        served = SLOMiddleware(app) if wrapped else instrument(app)
        assert [ask(served, path) for _ in range(3)] == [status] * 3
        assert routes(world) == {template: 3}


@pytest.mark.parametrize(("service", "path", "template", "status"), CASES)
def test_an_answer_before_the_router_has_the_same_template(
    service: str, path: str, template: str, status: int
) -> None:
    """A middleware that answers 503 before the router is counted under the route that was asked for."""

    class Closed:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("closed", status_code=503)(scope, receive, send)

    app = SERVICES[service]()
    app.user_middleware.insert(0, Middleware(Closed))
    with running() as world:
        served = instrument(app)
        assert [ask(served, path) for _ in range(2)] == [503, 503]
        expected = template if status != 404 or template == "/static/{path}" else "unmatched"
        assert routes(world) == {expected: 2}


def test_hosts_are_left_out_and_cannot_make_series() -> None:
    """A route below a host has the path's template, whatever Host a client sends."""
    with running() as world:
        app = instrument(starlette_service())
        for org in ("a", "b", "c"):
            assert ask(app, "/hosted/1", headers=[("host", f"{org}.example.org")]) == 200
        assert routes(world) == {"/hosted/{z}": 3}


def test_a_server_root_path_is_no_part_of_the_template() -> None:
    """Behind a proxy that strips a prefix, templates stay the application's own."""
    with running() as world:
        app = instrument(starlette_service())
        assert ask(app, "/api/v1/n/5/b/6", root_path="/api") == 200
        assert ask(app, "/api/acme/nowhere", root_path="/api") == 404
        assert routes(world) == {"/v1/n/{id}/b/{y}": 1, "unmatched": 1}


def test_ten_thousand_paths_make_a_handful_of_series() -> None:
    """Nothing in a path, a method or a header grows the series."""
    with running() as world:
        app = instrument(starlette_service())

        async def flood() -> None:
            for n in range(10_000 // 4):
                await exchange(app, f"/t{n}/orders/{n}")
                await exchange(app, f"/no/{n}/where/{n}")
                await exchange(app, f"/plain/{n}", f"M{n}")
                await exchange(app, f"/plain/{n}", headers=[("host", f"h{n}")])

        asyncio.run(flood())
        assert len(world.cells()) == 4
        assert sum(cell.count for cell in world.cells()) == 10_000


@contextmanager
def counted_matches(app: Starlette) -> Iterator[list[str]]:
    """Every call of a route's `matches`, by path."""
    calls: list[str] = []
    genuine = Route.matches

    def matches(self: Route, scope: Scope) -> tuple[Match, Scope]:
        calls.append(scope["path"])
        return genuine(self, scope)

    Route.matches = matches  # type: ignore[method-assign]  # counted for one block
    try:
        yield calls
    finally:
        Route.matches = genuine  # type: ignore[method-assign]  # and put back


def test_the_normal_path_does_not_match_a_second_time() -> None:
    """With the middleware a routed or refused request costs no more matches than without it."""
    for path in ("/plain/1", "/v1/n/5/b/6", "/acme/orders/1"):
        bare, measured = starlette_service(), instrument(starlette_service())
        with counted_matches(bare) as without:
            ask(bare, path)
        with running(), counted_matches(measured) as within:
            ask(measured, path)
        assert len(within) == len(without) > 0


def test_routes_added_later_are_found() -> None:
    """A route, a router and a mount that arrive after the first request get their templates."""
    app = fastapi_service()
    with running() as world:
        instrument(app)
        ask(app, "/raw/1")
        late = APIRouter()
        late.add_api_route("/late/{x}", ok, methods=["GET"])
        app.include_router(late, prefix="/after")
        app.mount("/m", Starlette(routes=[Route("/x/{y}", ok)]))
        assert ask(app, "/after/late/1") == ask(app, "/m/x/1") == 200
        assert routes(world) == {"/raw/{x}": 1, "/after/late/{x}": 1, "/m/x/{y}": 1}


def test_a_dispatcher_without_routes_uses_the_router_that_the_request_reached() -> None:
    """Behind hand-written dispatch, each application's own router gives the template."""
    first, second = fastapi_service(), starlette_service()

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        await (first if scope["path"].startswith("/v1/items") else second)(scope, receive, send)

    with running() as world:
        app = SLOMiddleware(dispatch)
        assert ask(app, "/v1/items/1") == ask(app, "/acme/orders/1") == 200
        assert ask(app, "/not/there") == 404
        assert routes(world) == {"/v1/items/{item}": 1, "/{tenant}/orders/{order}": 1, "unmatched": 1}


def test_middleware_that_copies_the_scope_costs_a_match_but_no_template() -> None:
    """A copy hides what routing wrote; the request is then matched once against the table."""

    class Copies:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.app(dict(scope), receive, send)

    for service, path, template in (
        ("starlette", "/v1/n/5/b/6", "/v1/n/{id}/b/{y}"),
        ("fastapi", "/tenants/t/items/1", "/tenants/{tenant}/items/{item}"),
    ):
        app = SERVICES[service]()
        app.user_middleware.insert(0, Middleware(Copies))
        with running() as world:
            instrument(app)
            assert ask(app, path) == 200
            assert routes(world) == {template: 1}
            assert world.key().names == ("money",)


@pytest.mark.parametrize(
    ("service", "path", "tagged"),
    [
        ("starlette", "/acme/orders/1", True),
        ("starlette", "/v1/n/5/b/6", True),
        ("starlette", "/v1/a", False),
        ("fastapi", "/v1/items/1", True),
        ("fastapi", "/sub/inner/items/1", True),
        ("fastapi", "/v1/items/x", True),
        ("fastapi", "/sub/direct/1", False),
        ("fastapi", "/nowhere", False),
    ],
)
def test_a_tag_on_the_handler_is_a_name_of_the_event(service: str, path: str, *, tagged: bool) -> None:
    """The mark is found through includes and mounts, also where validation refused the request."""
    with running() as world:
        app = instrument(SERVICES[service]())
        ask(app, path)
        assert world.key().names == (("money",) if tagged else ())


def test_a_route_that_raises_when_asked_again_does_not_break_the_request() -> None:
    """A custom route whose `matches` fails at our look is passed over; it is counted and blamed on its class."""

    class Moody(BaseRoute):
        path_format = "/moody"
        asked = 0

        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            Moody.asked += 1
            if Moody.asked > 1:
                raise LookupError("only once")
            return Match.NONE, {}

    app = Starlette(routes=[Moody(), Mount("/m", routes=[Route("/x", ok)])])
    with running() as world:
        assert ask(instrument(app), "/m/nowhere") == 404
        assert routes(world) == {"unmatched": 1}
    assert errors.faults() == {"Moody.matches": 1}


def test_a_frontend_directory_is_one_template_a_prefix(tmp_path: Path) -> None:
    """Files that FastAPI's `frontend` serves are `/{path}` below their literal prefix, found or not."""
    (tmp_path / "app.js").write_text("1")
    (tmp_path / "index.html").write_text("<html>")
    app = FastAPI()
    app.get("/api/{x}")(ok)
    app.frontend("/", directory=tmp_path)
    app.frontend("/admin", directory=tmp_path)
    with running() as world:
        instrument(app)
        for path in ("/app.js", "/admin/app.js", "/index.html", "/gone.js", "/api/7"):
            ask(app, path)
        assert routes(world) == {"/{path}": 3, "/admin/{path}": 1, "/api/{x}": 1}


@pytest.mark.parametrize(
    ("service", "method", "path", "at_once"),
    [
        ("starlette", "GET", "/v1/n/5/b/6", True),
        ("fastapi", "POST", "/in/once/1", True),
        ("fastapi", "GET", "/tenants/t/items/1", False),
    ],
)
def test_a_plain_answer_of_a_known_route_is_recorded_without_an_event(
    monkeypatch: pytest.MonkeyPatch, service: str, method: str, path: str, *, at_once: bool
) -> None:
    """From the second on; where the route object stands for one template, nothing but the cell is called."""
    closed: list[str] = []
    opened: list[str] = []
    close, make = Requests.answered, Requests.open

    def answered(self: Requests, course: Course) -> None:
        closed.append(course.scope["path"])
        close(self, course)

    def open_(self: Requests, frame: Frame) -> Event:
        opened.append(path)
        return make(self, frame)

    monkeypatch.setattr(Requests, "answered", answered)
    monkeypatch.setattr(Requests, "open", open_)
    app = SERVICES[service]()
    with running() as world:
        instrument(app)
        assert [ask(app, path, method) for _ in range(5)] == [200] * 5
        assert sum(cell.count for cell in world.cells()) == 5
    assert (closed, opened) == ([path] * (1 if at_once else 5), [path])


def test_a_request_leaves_no_reference_cycle() -> None:
    """What the middleware makes for a request is freed with it; the collector finds nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": int(scope["path"][1:]), "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def serve() -> int:
        served = SLOMiddleware(app)
        for path in ("/200", "/404", "/503"):
            await exchange(served, path)
        gc.collect()
        gc.disable()
        try:
            for path in ("/200", "/404", "/503") * 20:
                await exchange(served, path)
            return gc.collect()
        finally:
            gc.enable()

    with running():
        assert asyncio.run(serve()) == 0


def test_an_application_mounted_in_itself_has_templates() -> None:
    """The walk ends, and a request below a few rounds still has its template."""
    app = Starlette(routes=[Route("/a/{x}", ok)])
    app.router.routes.append(Mount("/again", app))
    with running() as world:
        instrument(app)
        for path in ("/a/1", "/again/a/1", "/again/again/a/1"):
            assert ask(app, path) == 200
        assert routes(world) == {"/a/{x}": 1, "/again/a/{x}": 1, "/again/again/a/{x}": 1}


def test_without_fastapis_walk_the_context_on_the_scope_has_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should another FastAPI not list what an include made, what routing left on the scope still says it."""
    from fastapi import routing

    included = getattr(routing, "_IncludedRouter", None)
    if included is not None:
        monkeypatch.delattr(included, "effective_route_contexts")
    items = APIRouter(prefix="/items")
    items.add_api_route("/{item}", ok, methods=["GET"])
    app = FastAPI()
    app.include_router(items, prefix="/v1")
    with running() as world:
        instrument(app)
        for item in range(3):
            assert ask(app, f"/v1/items/{item}") == 200
        assert routes(world) == {"/v1/items/{item}": 3}


def test_a_route_that_no_tree_has_is_its_own_template_without_a_prefix() -> None:
    """A route that an unknown kind of router put on the scope is counted by its template, never by the path."""
    hidden = Route("/hidden/{x}", ok)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = hidden
        await PlainTextResponse("ok")(scope, receive, send)

    with running() as world:
        served = SLOMiddleware(app)
        for x in range(3):
            assert ask(served, f"/prefix/hidden/{x}") == 200
        assert routes(world) == {"/hidden/{x}": 3}
