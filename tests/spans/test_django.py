"""Django beside OpenTelemetry's instrumentation of it: the counts, the spans, and what is written to them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from opentelemetry.instrumentation.django import DjangoInstrumentor

from tests.instrumentation.asgi_world import World, running
from tests.integrations.django.asking import DOORS, Door
from tests.integrations.django.project import OURS
from tests.spans.test_requests import exemplars, listening, slo_part
from tests.spans.traced import Traced

OTEL = "opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware"
BEFORE, AFTER = (OTEL, OURS), (OURS, OTEL)
"""Where opentelemetry puts its own: as the first. It can be told another place."""
BAD = {"/answer/503/": "error", "/raising/boom/": "exception", "/answer/409/": "rejected", "/nowhere/": "rejected"}
PATHS = ("/ok/1/", "/aok/1/", *BAD, "/raising/missing/", "/said/")
STREAMS = {"wsgi": "/stream/", "asgi": "/astream/"}
Watched: TypeAlias = Callable[[Traced], None]


@pytest.fixture
def instrumented() -> Iterator[Watched]:
    """opentelemetry-instrumentation-django with the providers of a test, as long as that takes."""
    theirs: Any = DjangoInstrumentor()

    def instrument(traces: Traced) -> None:
        if theirs.is_instrumented_by_opentelemetry:
            theirs.uninstrument()
        theirs.instrument(tracer_provider=traces.tracers, meter_provider=traces.meters)

    logging.getLogger("django").setLevel(logging.CRITICAL + 1)
    yield instrument
    theirs.uninstrument()
    logging.getLogger("django").setLevel(logging.NOTSET)


def served(door: Door, middleware: tuple[str, ...], *paths: str, spans: bool = False) -> World:
    """What we counted of the requests."""
    with running() as world:
        if spans:
            listening(world)
        app = door.build(middleware)
        for path in paths:
            door.ask(app, path)
    return world


@pytest.mark.parametrize("middleware", [BEFORE, AFTER], ids=["theirs first", "ours first"])
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_the_counts_are_those_without_opentelemetry(
    door: Door, middleware: tuple[str, ...], traced: Traced, instrumented: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    """Each request is counted once, with the route and outcome it has without OpenTelemetry, and nobody warns."""
    instrumented(traced)
    with caplog.at_level(logging.WARNING):
        alone = served(door, (OURS,), *PATHS, STREAMS[door.name])
        beside = served(door, middleware, *PATHS, STREAMS[door.name])
    assert beside.counts() == alone.counts()
    assert sum(beside.counts().values()) == len(PATHS) + 1
    assert not [record for record in caplog.records if record.name.startswith(("opentelemetry", "slo_otel"))]


@pytest.mark.parametrize("middleware", [BEFORE, AFTER], ids=["theirs first", "ours first"])
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_spans_and_metrics_of_opentelemetry_are_those_without_us(
    door: Door,
    middleware: tuple[str, ...],
    traced: Traced,
    instrumented: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same spans with the same names, statuses and attributes, and as many measurements."""
    instrumented(traced)
    served(door, middleware, *PATHS)
    alone = Traced()
    alone.installed(monkeypatch)
    instrumented(alone)
    served(door, (OTEL,), *PATHS)
    assert [_told(span) for span in traced.spans()] == [_told(span) for span in alone.spans()]
    assert len(traced.served()) == len(PATHS)
    assert traced.counted() == alone.counted()


def _told(span: Any) -> object:
    return span.name, span.kind, dict(span.attributes), span.status.status_code, [each.name for each in span.events]


@pytest.mark.parametrize("path", BAD)
@pytest.mark.parametrize("middleware", [BEFORE, AFTER], ids=["theirs first", "ours first"])
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_a_bad_request_is_an_exemplar_with_its_span_and_is_written_to_it(
    door: Door, middleware: tuple[str, ...], path: str, traced: Traced, instrumented: Watched
) -> None:
    """Written to while the span is not over: that is where opentelemetry's middleware is the first, as it wants."""
    instrumented(traced)
    world = served(door, middleware, path, spans=True)
    [span] = traced.served()
    assert span.context is not None
    found = exemplars(world)
    assert found
    assert {(each.trace_id, each.span_id) for _, each in found} == {(span.context.trace_id, span.context.span_id)}
    told = slo_part(span)
    if middleware == BEFORE:
        assert told == {"slo.name": ("availability",), "slo.verdict": "bad", "slo.outcome": BAD[path]}
    else:
        assert told == {}
