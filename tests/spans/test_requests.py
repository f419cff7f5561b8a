"""The span of a request: which one it is, wherever the middleware stand, and what is written to it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib.util import find_spec

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from slo_otel.instrumentation import (
    ASGIApp,
    ExemplarFilter,
    Message,
    Receive,
    Scope,
    Send,
    SpanAttributes,
    _asgi,
    activate,
    instrument,
    traced,
)
from slo_otel.plan import Where
from slo_otel.recorder import Exemplar
from slo_otel.testing import ManualClock
from tests.instrumentation.asgi_fake import exchange
from tests.instrumentation.asgi_world import World, make_plan, running
from tests.spans.test_coexistence import (
    ORDERS,
    PATHS,
    Install,
    _name,
    otel_added,
    otel_around,
    otel_fastapi,
    ours_around,
    ours_in_place,
    shop,
)
from tests.spans.traced import Traced

NATIVE: tuple[tuple[Install, ...], ...] = ((ours_in_place,),) if find_spec("fastapi.telemetry") else ()
"""FastAPI's own telemetry is around everything, and there is no other. Older ones have none."""
ARRANGED = (*ORDERS, *NATIVE)
ANSWERED_WITHIN = ((otel_around, ours_around), (ours_around, otel_around))
"""The application itself answers 500 for an exception, which we learn of when the span is over."""
BAD = {"/down": "error", "/boom": "exception", "/odd": "error", "/refused": "rejected", "/nowhere": "rejected"}
"""What is bad where `success` asks for 2xx, and its outcome."""


def listening(
    world: World,
    exemplars: ExemplarFilter = ExemplarFilter.TRACE_BASED,
    attributes: SpanAttributes = SpanAttributes.BAD,
) -> None:
    """Have the runtime of a world look at spans."""
    world.active.spans = traced(world.active, exemplars, attributes)
    activate(world.active)


def exemplars(world: World) -> list[tuple[str | None, Exemplar]]:
    """Those of all series, with the route."""
    found = world.recorder.snapshot(10**20, 0).exemplars
    return [(key.route, each) for key, kept in found for each in kept]


def spans_of(traces: Traced, path: str) -> list[ReadableSpan]:
    """The server spans of one path, which every instrumentation tells somehow."""
    return [each for each in traces.served() if path in str(dict(each.attributes or {}).values())]


async def _visited(
    installs: tuple[Install, ...], traces: Traced, *paths: str, attributes: SpanAttributes = SpanAttributes.BAD
) -> World:
    app: ASGIApp = shop()
    with running() as world:
        for install in installs:
            app = install(app, traces)
        listening(world, attributes=attributes)
        for path in paths:
            await exchange(app, path)
    return world


@pytest.mark.asyncio
@pytest.mark.parametrize("path", BAD)
@pytest.mark.parametrize("attributes", [SpanAttributes.NONE, SpanAttributes.BAD])
@pytest.mark.parametrize("installs", ARRANGED, ids=_name)
async def test_an_exemplar_names_the_span_of_its_request(
    installs: tuple[Install, ...], path: str, attributes: SpanAttributes, traced: Traced
) -> None:
    """Wherever the middleware stand, and though the span may be over when the event closes."""
    world = await _visited(installs, traced, *["/orders/1"] * 3, path, attributes=attributes)
    bad = [each for route, each in exemplars(world) if route != "/orders/{id}"]
    good = [each for route, each in exemplars(world) if route == "/orders/{id}"]
    for found, where in ((bad, path), (good, "/orders/1")):
        ids = {(span.context.trace_id, span.context.span_id) for span in spans_of(traced, where) if span.context}
        assert found
        assert {(each.trace_id, each.span_id) for each in found} <= ids


@pytest.mark.asyncio
@pytest.mark.parametrize("path", BAD)
@pytest.mark.parametrize("installs", ARRANGED, ids=_name)
async def test_a_bad_request_is_written_to_its_span(
    installs: tuple[Install, ...], path: str, traced: Traced
) -> None:
    """The service levels that it is bad for, and its outcome; nothing on the span of a good one."""
    await _visited(installs, traced, "/orders/1", path)
    written = [dict(each.attributes or {}) for each in spans_of(traced, path) if slo_part(each)]
    [told] = written
    assert told["slo.name"] == ("availability",)
    assert told["slo.verdict"] == "bad"
    assert told["slo.outcome"] == ("error" if path == "/boom" and installs in ANSWERED_WITHIN else BAD[path])
    assert not [each for each in spans_of(traced, "/orders/1") if slo_part(each)]


def slo_part(span: ReadableSpan) -> dict[str, object]:
    return {name: value for name, value in (span.attributes or {}).items() if name.startswith("slo.")}


async def _chat(scope: Scope, receive: Receive, send: Send) -> None:
    """Accepts, and fails."""
    await receive()
    await send({"type": "websocket.accept"})
    raise ValueError("gone")


@pytest.mark.asyncio
@pytest.mark.parametrize("installs", [(otel_around, ours_around), (ours_around, otel_around)], ids=_name)
async def test_a_connection_has_its_span_too(installs: tuple[Install, ...], traced: Traced) -> None:
    """A websocket that ends badly is an exemplar with the span that opentelemetry made for it."""
    app: ASGIApp = _chat
    with running(make_plan(websocket=True)) as world:
        for install in installs:
            app = install(app, traced)
        listening(world)
        incoming = [{"type": "websocket.connect"}]

        async def receive() -> Message:
            return incoming.pop()

        async def send(message: Message) -> None:
            assert message["type"] == "websocket.accept"

        with pytest.raises(ValueError, match="gone"):
            await app({"type": "websocket", "path": "/chat/1", "headers": [], "query_string": b""}, receive, send)
    [span] = traced.served()
    assert span.context is not None
    found = exemplars(world)
    assert found
    assert {(each.trace_id, each.span_id) for _, each in found} == {(span.context.trace_id, span.context.span_id)}


@pytest.mark.asyncio
async def test_a_request_within_a_request_keeps_its_span_to_itself(traced: Traced) -> None:
    """A handler that calls another application in the process: the inner request's span is not the outer one's."""
    inner = otel_around(shop(), traced)
    app = shop()

    @app.get("/outer")
    async def outer() -> None:
        with trace.use_span(trace.INVALID_SPAN):  # as a client that hands no context on
            await exchange(inner, "/orders/1")
        raise HTTPException(503)

    with running() as world:
        listening(world)
        await exchange(otel_around(instrument(app), traced), "/outer")
    own = [each for each in spans_of(traced, "/outer") if each.context]
    assert own
    ids = {(each.context.trace_id, each.context.span_id) for each in own if each.context}
    assert {(each.trace_id, each.span_id) for _, each in exemplars(world)} <= ids
    assert len([each for each in own if slo_part(each)]) == 1
    assert not [each for each in spans_of(traced, "/orders/1") if slo_part(each)]


@pytest.mark.asyncio
async def test_a_request_that_nobody_samples_is_no_exemplar(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no trace to lead to."""
    traces = Traced(ALWAYS_OFF)
    traces.installed(monkeypatch)
    world = await _visited((otel_fastapi, ours_in_place), traces, "/down", "/boom")
    assert exemplars(world) == []
    assert sum(world.counts().values()) == 2


@pytest.mark.asyncio
async def test_what_the_attributes_callable_says_is_known_before_the_span_is_over(traced: Traced) -> None:
    """A service level of some tenants alone is named on the span of a request of theirs, though that ends early."""
    plan = make_plan()
    indicator = plan.slos[0].indicator
    where = replace(indicator, selection=replace(indicator.selection, where=Where((("tenant", ("acme",)),))))
    with running(replace(plan, slos=(replace(plan.slos[0], indicator=where),))) as world:
        measured = instrument(shop(), attributes=lambda scope: {"tenant": scope["query_string"].decode()})
        app = otel_around(measured, traced)
        listening(world)
        await exchange(app, "/down", query_string=b"acme")
        await exchange(app, "/down", query_string=b"other")
    assert [told["slo.name"] for each in traced.served() if (told := slo_part(each))] == [("availability",)]


@pytest.mark.asyncio
@pytest.mark.parametrize("traces", [False, True], ids=["nobody traces", "somebody traces"])
@pytest.mark.parametrize("attributes", [SpanAttributes.NONE, SpanAttributes.BAD])
async def test_a_plain_answer_leaves_its_path_for_a_span_that_is_written_to_alone(
    attributes: SpanAttributes, *, traces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known route's answer is recorded in one step: without a tracer as ever, for exemplars with a look at it."""
    if traces:
        Traced().installed(monkeypatch)
    passed: list[object] = []
    longer = _asgi._body

    def counted(message: Message, send: Send, frame: list[object]) -> object:
        passed.append(message)
        return longer(message, send, frame)

    monkeypatch.setattr(_asgi, "_body", counted)
    with running() as world:
        app = instrument(shop())
        listening(world, attributes=attributes)
        for _ in range(3):
            await exchange(app, "/orders/1")
    assert len(passed) == (3 if traces and attributes is SpanAttributes.BAD else 1)
    assert (world.active.spans is not None) == traces
    assert sum(cell.count for cell in world.cells()) == 3


@pytest.mark.asyncio
async def test_the_slowest_plain_answer_is_looked_at_where_it_is_recorded(traced: Traced) -> None:
    """Of many answers of one route each bucket keeps its slowest, and what was too slow is bad."""
    clock = ManualClock()

    async def timed(request: Request) -> JSONResponse:
        clock.advance(float(request.url.query))
        return JSONResponse({})

    app = otel_around(instrument(Starlette(routes=[Route("/slow", timed)])), traced)
    with running(perf=clock.perf) as world:
        listening(world, attributes=SpanAttributes.NONE)
        for seconds in (0.3, 0.3, 0.4, 0.45, 0.35, 11.0, 12.0, 11.5):
            await exchange(app, "/slow", query_string=str(seconds).encode())
    spans = [span.context.span_id for span in traced.served() if span.context]
    assert {(each.value, each.span_id) for _, each in exemplars(world)} == {
        (0.45, spans[3]),
        (12.0, spans[6]),
        (11.5, spans[7]),  # the latest that was bad
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("installs", ARRANGED, ids=_name)
async def test_looking_at_spans_changes_no_count(installs: tuple[Install, ...], traced: Traced) -> None:
    """Every request is counted as it is while nobody looks."""
    ours = next(install for install in installs if install.__name__.startswith("ours"))
    looking = await _visited(installs, traced, *PATHS, attributes=SpanAttributes.ALL)
    with running() as world:
        app = ours(shop(), traced)
        for path in PATHS:
            await exchange(app, path)
    assert looking.counts() == world.counts()


class _Catching:
    """Middleware that answers for every exception: that is as it should be."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self.app(scope, receive, send)
        except ValueError:
            await JSONResponse({})(scope, receive, send)


@pytest.mark.asyncio
@pytest.mark.parametrize("answered", ["by a handler", "by a middleware"])
async def test_an_exception_that_became_a_success_is_counted_as_one(answered: str, traced: Traced) -> None:
    """Whoever answers for it; a handler does so before the span ends, so that this is not called bad."""
    app = FastAPI() if answered == "by a handler" else shop()

    async def handle(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({})

    async def boom() -> None:
        raise ValueError("boom")

    if answered == "by a handler":
        app.get("/boom")(boom)
        app.exception_handler(Exception)(handle)
        otel_fastapi(app, traced)
    else:
        otel_added(app, traced)
        app.add_middleware(_Catching)
    with running() as world:
        instrument(app)
        listening(world)
        await exchange(app, "/boom")
    assert [key[2] for key in world.counts()] == [200]
    [told] = [slo_part(each) for each in spans_of(traced, "/boom")]
    assert (told == {}) == (answered == "by a handler")


@pytest.mark.asyncio
async def test_what_a_server_cancels_is_written_while_the_span_around_ours_is_open(traced: Traced) -> None:
    """A deploy that cuts a request off is on its span, with the reason."""
    begun = asyncio.Event()

    async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    app = otel_around(ours_around(hangs, traced), traced)
    with running() as world:
        listening(world)
        serving = asyncio.create_task(exchange(app, "/orders/1"))
        await begun.wait()
        serving.cancel()
        assert isinstance((await serving).raised, asyncio.CancelledError)
    both = ("availability", "latency")
    told = {"slo.name": both, "slo.verdict": "bad", "slo.outcome": "cancelled", "slo.reason": "server_cancelled"}
    assert slo_part(traced.one()) == told


@pytest.mark.asyncio
async def test_a_client_that_left_is_excluded_on_its_span(traced: Traced) -> None:
    """With `all` one sees that nobody counted it."""

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    app = otel_around(ours_around(waits, traced), traced)
    with running() as world:
        listening(world, attributes=SpanAttributes.ALL)
        await exchange(app, "/orders/1", incoming=[{"type": "http.disconnect"}])
    told = slo_part(traced.one())
    assert (told["slo.verdict"], told["slo.outcome"]) == ("excluded", "cancelled")
