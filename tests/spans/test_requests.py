"""The span of a request: which one it is, wherever the middleware stand, and what is written to it."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from slo_otel.instrumentation import ASGIApp, ExemplarFilter, SpanAttributes, activate, traced
from slo_otel.recorder import Exemplar
from tests.instrumentation.asgi_fake import exchange
from tests.instrumentation.asgi_world import World, running
from tests.spans.test_coexistence import (
    ORDERS,
    Install,
    _name,
    otel_added,
    otel_around,
    otel_fastapi,
    otel_starlette,
    ours_added,
    ours_around,
    ours_in_place,
    shop,
)
from tests.spans.traced import Traced

NATIVE: tuple[Install, ...] = (ours_in_place,)
"""FastAPI's own telemetry is around everything, and there is no other."""
ARRANGED = (*ORDERS, NATIVE)
OVER = (
    (otel_added, ours_in_place),
    (ours_in_place, otel_added),
    (otel_starlette, ours_in_place),
    (ours_in_place, otel_starlette),
    (otel_added, ours_around),
    (otel_added, ours_added),
)
"""An exception passes through opentelemetry's middleware, which ends its span, before anybody answers."""
ANSWERED_WITHIN = (
    (otel_around, ours_around),
    (otel_fastapi, ours_around),
    (otel_fastapi, ours_in_place),
    (ours_around, otel_around),
    (ours_in_place, otel_fastapi),
)
"""Something within answers 500 for an exception, which we learn of later: when the span is over."""
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
@pytest.mark.parametrize("installs", ARRANGED, ids=_name)
async def test_an_exemplar_names_the_span_of_its_request(
    installs: tuple[Install, ...], path: str, traced: Traced
) -> None:
    """Wherever the middleware stand, and though the span may be over when the event closes."""
    world = await _visited(installs, traced, "/orders/1", path)
    ids = {(span.context.trace_id, span.context.span_id) for span in spans_of(traced, path) if span.context}
    found = [each for route, each in exemplars(world) if route != "/orders/{id}"]
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
    assert len(written) == (0 if path == "/boom" and installs in OVER else 1)
    for told in written:
        assert told["slo.name"] == ("availability",)
        assert told["slo.verdict"] == "bad"
        assert told["slo.outcome"] == ("error" if path == "/boom" and installs in ANSWERED_WITHIN else BAD[path])
    assert not [each for each in spans_of(traced, "/orders/1") if slo_part(each)]


def slo_part(span: ReadableSpan) -> dict[str, object]:
    return {name: value for name, value in (span.attributes or {}).items() if name.startswith("slo.")}
