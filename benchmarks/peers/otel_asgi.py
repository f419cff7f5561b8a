"""opentelemetry-instrumentation-asgi, outermost, with the stable HTTP conventions alone.

`exclude_spans` is its documented switch against a span for each `receive` and `send`; where no tracer is configured
it saves the price of spans that do nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import cast

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import NoOpTracerProvider, TracerProvider

from slo_otel.instrumentation import ASGIApp


def instrumented(app: ASGIApp, meters: MeterProvider, tracers: TracerProvider | None = None) -> ASGIApp:
    """At its cheapest: no spans for messages, the stable conventions; with metrics alone, or with traces too."""
    return _wrapped(app, meters, tracers, ["receive", "send"])


def by_default(app: ASGIApp, meters: MeterProvider) -> ASGIApp:
    """With metrics alone, and nothing said about spans, as most services have it."""
    return _wrapped(app, meters, None, None)


def _wrapped(
    app: ASGIApp, meters: MeterProvider, tracers: TracerProvider | None, excluded: list[str] | None
) -> ASGIApp:
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http"
    middleware = import_module("opentelemetry.instrumentation.asgi").OpenTelemetryMiddleware
    made = middleware(
        app,
        meter_provider=meters,
        tracer_provider=tracers or NoOpTracerProvider(),
        exclude_spans=excluded,
    )
    return cast("ASGIApp", made)
