"""How the public API is used, for type checkers only: never executed, checked by `make check`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, assert_type

import flask
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware

import slo_otel
from slo_otel import wsgi
from slo_otel.adapters import HttpDoor, Target
from slo_otel.testing import InMemoryExporter, ManualClock, Watch


class ModelError(Exception):
    """An error of the application."""


@slo_otel.tag("critical_money_flow")
async def spend(order: int) -> str:
    """A handler that says why it refuses."""
    slo_otel.current_event().set(reason="insufficient_balance", tenant=order)
    return "receipt"


@slo_otel.track("ai_call", operation="summarise", bad=(ModelError,), excluded=KeyError)
async def summarise(text: str) -> str:
    """An async function."""
    return text


@slo_otel.track("ai_call", judge=lambda result: slo_otel.Outcome.REJECTED if result < 0 else None)
def score(text: str, *, weight: float = 1.0) -> float:
    """A judged function."""
    return len(text) * weight


def unsure(answer: str) -> slo_otel.Outcome | None:
    """A judge of texts."""
    return slo_otel.Outcome.REJECTED if answer.startswith("perhaps") else None


def curt(answer: str) -> str:
    """No judge: it says no outcome."""
    return answer


slo_otel.track("ai_call", judge=unsure)
slo_otel.track("ai_call", judge=curt)  # type: ignore[arg-type]  # what a judge says is checked
slo_otel.track("ai_call", judge=lambda: None)  # type: ignore[arg-type,misc]  # and that it takes the result


@slo_otel.track("stream")
def items(n: int) -> Iterator[int]:
    """A generator."""
    yield from range(n)


@slo_otel.track("stream", attrs={"provider": "stripe", "live": True})
async def items_async(n: int) -> AsyncIterator[int]:
    """An async generator."""
    yield n


class Service:
    """Methods keep their types."""

    @slo_otel.track("work")
    def method(self, n: int) -> int:
        """A method."""
        return n

    @classmethod
    @slo_otel.track("work")
    def build(cls, n: int) -> Service:
        """A class method."""
        return cls()

    @staticmethod
    @slo_otel.track("work")
    def helper(n: int) -> int:
        """A static method."""
        return n


async def use() -> None:
    """Types survive decoration; blocks give the event."""
    assert_type(score("a", weight=2.0), float)
    assert_type(await summarise("a"), str)
    assert_type(await spend(1), str)
    assert_type(items(3), Iterator[int])
    assert_type(Service().method(1), int)
    assert_type(Service.build(1), Service)
    assert_type(slo_otel.track("work")(functools.partial(score, "a"))(), float)
    with slo_otel.track("webhook") as event:
        assert_type(event, slo_otel.Event)
        event.bad("signature")
    async with slo_otel.track("webhook") as event:
        event.exclude()
        event.good()


def record() -> None:
    """Domain outcomes."""
    slo_otel.count("exchange.completed", tenant=2)
    slo_otel.count("exchange.completed", 3, key=7, attrs={"tenant-id": "a"})
    slo_otel.gauge("dlq.depth", 4, queue="webhooks")
    slo_otel.begin("incident", key=1, severity="P0")
    slo_otel.finish("incident", key=1, at=datetime.now(UTC), started_at=1.5)
    found = slo_otel.budget("checkout-success", region="eu")
    assert_type(found, slo_otel.Budget)
    assert_type(found.remaining, float | None)
    assert_type(found.below(0.25), bool)
    assert_type(found.state, slo_otel.State)
    assert_type(found.scope, slo_otel.Scope)


def adapt(call: Callable[[], int]) -> int:
    """What an integration does."""
    event = slo_otel.open_event(("job", "mail"), method=None)
    event.kind = slo_otel.Kind.OPERATION
    try:
        result = call()
    except Exception as fault:
        outcome, event.error_type = slo_otel.classify(None, fault)
        slo_otel.close_event(event, outcome, 0.1)
        raise
    slo_otel.close_event(event, slo_otel.Outcome.SUCCESS, 0.1, first_byte=None)
    return result


def start(app: Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]) -> slo_otel.StatusSet:
    """Set-up and its errors."""
    try:
        handle = slo_otel.configure("slo.yaml", resource={"service.version": "1"})
    except slo_otel.PolicyError as mistakes:
        raise SystemExit(str(mistakes.problems)) from mistakes
    except slo_otel.ConfigurationError as mistake:
        raise SystemExit(str(mistake)) from mistake
    assert_type(handle, slo_otel.Handle)
    slo_otel.SLOMiddleware(app, attributes=lambda scope: {"tenant": str(scope["path"])})
    handle.flush(timeout=1)
    handle.shutdown()
    return handle.status()


def tenant_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """What the policy's `per: tenant` asks for."""
    return {"tenant": str(scope["path"])}


def serve(levels: slo_otel.Handle) -> FastAPI:
    """An application keeps its type, and a handler its signature, which FastAPI reads."""
    app = levels.instrument(FastAPI())
    assert_type(app, FastAPI)
    app.add_middleware(slo_otel.SLOMiddleware, attributes=tenant_of)
    Starlette(middleware=[Middleware(slo_otel.SLOMiddleware)])

    @app.post("/orders")
    @slo_otel.tag("critical_money_flow")
    @slo_otel.track("order")
    async def order(count: int, user: str = Depends(lambda: "a")) -> dict[str, int]:
        return {user: count}

    assert_type(asyncio.run(order(1)), dict[str, int])
    return app


def serve_flask(levels: slo_otel.Handle) -> flask.Flask:
    """Flask in place, and any WSGI application by hand."""
    app = levels.instrument(flask.Flask("shop"))
    assert_type(app, flask.Flask)
    wsgi.SLOMiddleware(app.wsgi_app, attributes=lambda environ: {"tenant": str(environ["HTTP_X_TENANT"])})
    return app


class Request:
    """What somebody's framework hands over."""

    context: MutableMapping[str, Any] = {}  # noqa: RUF012 - a stub
    method = "GET"


def open_door(target: Target) -> HttpDoor[Request]:
    """What an adapter writes."""
    door = HttpDoor[Request](
        target=lambda request: target if request.method == "GET" else None,
        method=lambda request: request.method,
        carrier=lambda request: request.context,
    )
    visit = door.begin(Request())
    if visit is not None:
        door.answered(visit, 200)
    return door


def check(slo: Watch) -> None:
    """What a service's own tests write."""
    levels = slo.configure("slo.yaml", clock=ManualClock(), exporter=InMemoryExporter())
    slo.assert_slo("checkout-success", good=1, group={"region": "eu"})
    found = levels.status().find("checkout-success")
    assert found is not None
    assert_type(found.sli, float | None)
    assert_type(found.tally.good, int)
