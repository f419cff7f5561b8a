"""Middlewares of ours of two kinds around one request: a Flask application inside an ASGI one."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from slo_otel import tag
from slo_otel.instrumentation import SLOMiddleware, instrument
from slo_otel.plan import Outcome
from tests.instrumentation.asgi_apps import ok
from tests.instrumentation.asgi_fake import exchange
from tests.instrumentation.asgi_world import running
from tests.wsgi.test_flask import dispatched

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecated in favour of a package that does the same
    from starlette.middleware.wsgi import WSGIMiddleware


def shop() -> flask.Flask:
    """The inner application."""
    app = flask.Flask("shop")
    app.add_url_rule("/orders/<int:order>", "order", tag("money")(lambda order: str(1 // order)))
    return app


def ask(app: Any, path: str) -> int:
    """The status of one request."""
    return asyncio.run(exchange(app, path)).status


@pytest.mark.parametrize("measured", [True, False])
def test_a_flask_application_mounted_in_starlette_is_one_event(*, measured: bool) -> None:
    """Both instrumented, a request has the template of both, the inner tags and the inner exception."""
    inner = instrument(shop()) if measured else shop()
    app = instrument(Starlette(routes=[Route("/ok/{id}", ok), Mount("/shop", app=WSGIMiddleware(inner))]))
    with running() as world:
        paths = ("/shop/orders/1", "/shop/orders/1", "/shop/orders/0", "/shop/no", "/ok/1")
        assert [ask(app, path) for path in paths] == [200, 200, 500, 404, 200]
        found = {(cell.key.route, cell.key.names, cell.key.error_type): cell.count for cell in world.cells()}
    rest = {("/ok/{id}", (), None): 1}
    if measured:
        assert found == rest | {
            ("/shop/orders/{order}", ("money",), None): 2,
            ("/shop/orders/{order}", ("money",), "ZeroDivisionError"): 1,
            ("/shop/{path}", (), None): 1,
        }
    else:
        assert {route for route, _, _ in found} == {"/shop/{path}", "/ok/{id}"}


def test_a_flask_application_behind_a_bare_asgi_one_gives_the_route() -> None:
    """An outer middleware that knows no routes has those of the inner one."""
    bridge = WSGIMiddleware(instrument(shop()))
    app = SLOMiddleware(bridge)
    with running() as world:
        assert [ask(app, path) for path in ("/orders/1", "/orders/1", "/orders/0")] == [200, 200, 500]
        found = {(cell.key.route, cell.key.status, cell.key.outcome): cell.count for cell in world.cells()}
    assert found == {
        ("/orders/{order}", 200, Outcome.SUCCESS): 2,
        ("/orders/{order}", 500, Outcome.EXCEPTION): 1,
    }


@pytest.mark.parametrize(("path", "route"), [("/t/1", "/t/{shop}"), ("/admin/t/1", "/t/{admin}")])
def test_an_outer_asgi_middleware_gets_the_rule_that_was_followed(path: str, route: str) -> None:
    """Of several Flask applications behind a bridge it is the one that answered whose rule counts."""
    app = SLOMiddleware(WSGIMiddleware(dispatched("none")))
    with running() as world:
        assert ask(app, path) == 200
        assert world.key().route == route
