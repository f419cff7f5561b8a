"""Flask and WSGI beside OpenTelemetry's instrumentations of both: the counts, the spans, what is written there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast
from wsgiref.types import WSGIApplication

import flask
import pytest
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

from slo_otel.instrumentation import instrument
from slo_otel.wsgi import SLOMiddleware
from tests.instrumentation.asgi_world import World, running
from tests.spans.test_requests import BAD, exemplars, listening, slo_part, spans_of
from tests.spans.traced import Traced
from tests.wsgi.server import call

Install: TypeAlias = Callable[[flask.Flask, Traced], None]
PATHS = ("/orders/7", "/refused", "/down", "/boom", "/odd", "/stream", "/nowhere", "/orders/8")


class OddError(Exception):
    """What a handler of the application turns into an answer."""


def shop() -> flask.Flask:
    """The same endings as those of the ASGI shop."""
    app = flask.Flask("shop")

    @app.get("/orders/<id>")
    def order(id: str) -> str:  # noqa: A002 - the parameter of the path
        return id

    @app.get("/refused")
    def refused() -> str:
        flask.abort(409)

    @app.get("/down")
    def down() -> str:
        flask.abort(503)

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("boom")

    @app.get("/odd")
    def odd() -> str:
        raise OddError

    @app.get("/stream")
    def stream() -> flask.Response:
        return flask.Response(iter(("a", "b")))

    @app.errorhandler(OddError)
    def handle(error: OddError) -> tuple[str, int]:
        return "", 503

    return app


def otel_flask(app: flask.Flask, traced: Traced) -> None:
    """opentelemetry-instrumentation-flask."""
    install: Any = FlaskInstrumentor.instrument_app
    install(app, tracer_provider=traced.tracers, meter_provider=traced.meters)


def otel_wsgi(app: flask.Flask, traced: Traced) -> None:
    """opentelemetry-instrumentation-wsgi around the application."""
    around = OpenTelemetryMiddleware(app.wsgi_app, tracer_provider=traced.tracers, meter_provider=traced.meters)
    app.wsgi_app = cast("Any", around)  # type: ignore[method-assign]  # as Flask's documentation says


def ours_in_place(app: flask.Flask, traced: Traced) -> None:
    """`instrument`."""
    instrument(app)


def ours_around(app: flask.Flask, traced: Traced) -> None:
    """`SLOMiddleware`, as the documentation of WSGI middleware says."""
    app.wsgi_app = cast("Any", SLOMiddleware(app.wsgi_app))  # type: ignore[method-assign]  # the documented way


ORDERS: tuple[tuple[Install, ...], ...] = (
    (ours_in_place, otel_flask),
    (otel_flask, ours_in_place),
    (ours_in_place, otel_wsgi),
    (otel_wsgi, ours_in_place),
    (ours_around, otel_flask),
    (otel_flask, ours_around),
    (ours_around, otel_wsgi),
    (otel_wsgi, ours_around),
)


def _name(installs: tuple[Install, ...]) -> str:
    return "-then-".join(install.__name__ for install in installs)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Flask logs each exception that it answers for; opentelemetry's loggers and ours stay as they are."""
    logging.getLogger("shop").setLevel(logging.CRITICAL + 1)
    yield
    logging.getLogger("shop").setLevel(logging.NOTSET)


def served(*installs: Install, traces: Traced, paths: tuple[str, ...] = PATHS, spans: bool = False) -> World:
    """What we counted of the requests, with these around the application, in this order."""
    app = shop()
    with running() as world:
        for install in installs:
            install(app, traces)
        if spans:
            listening(world)
        for path in paths:
            call(cast("WSGIApplication", app), path)
    return world


@pytest.mark.parametrize("installs", ORDERS, ids=_name)
def test_the_counts_are_those_without_opentelemetry(
    installs: tuple[Install, ...], traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """Each request is counted once, with the route and outcome it has without OpenTelemetry, and nobody warns."""
    ours = next(install for install in installs if install.__name__.startswith("ours"))
    with caplog.at_level(logging.WARNING):
        alone = served(ours, traces=traced)
        beside = served(*installs, traces=traced)
    assert beside.counts() == alone.counts()
    assert sum(beside.counts().values()) == len(PATHS)
    assert not [record for record in caplog.records if record.name.startswith(("opentelemetry", "slo_otel"))]


@pytest.mark.parametrize("installs", ORDERS, ids=_name)
def test_spans_and_metrics_of_opentelemetry_are_those_without_us(
    installs: tuple[Install, ...], traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same spans with the same names, statuses and attributes, and as many measurements."""
    theirs = next(install for install in installs if install.__name__.startswith("otel"))
    served(*installs, traces=traced)
    alone = Traced()
    alone.installed(monkeypatch)
    served(theirs, traces=alone)
    assert [_told(span) for span in traced.spans()] == [_told(span) for span in alone.spans()]
    assert len(traced.served()) == len(PATHS)
    assert traced.counted() == alone.counted()


def _told(span: Any) -> object:
    return span.name, span.kind, dict(span.attributes), span.status.status_code, [each.name for each in span.events]


@pytest.mark.parametrize("path", BAD)
@pytest.mark.parametrize("installs", ORDERS, ids=_name)
def test_a_bad_request_is_written_to_its_span_and_is_an_exemplar_with_it(
    installs: tuple[Install, ...], path: str, traced: Traced
) -> None:
    """Though opentelemetry ends its span before the body has been sent."""
    world = served(*installs, traces=traced, paths=("/orders/1", path), spans=True)
    [span] = spans_of(traced, path)
    told = slo_part(span)
    assert told["slo.name"] == ("availability",)
    assert told["slo.verdict"] == "bad"
    assert told["slo.outcome"] == BAD[path]
    assert not [each for each in spans_of(traced, "/orders/1") if slo_part(each)]
    found = [each for route, each in exemplars(world) if route != "/orders/{id}"]
    assert span.context is not None
    assert {(each.trace_id, each.span_id) for each in found} == {(span.context.trace_id, span.context.span_id)}
