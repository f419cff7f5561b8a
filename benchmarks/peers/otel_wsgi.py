"""opentelemetry-instrumentation-wsgi around any WSGI application, with the stable HTTP conventions alone."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, cast

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import NoOpTracerProvider

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def instrumented(app: WSGIApplication, meters: MeterProvider) -> WSGIApplication:
    """With metrics alone."""
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http"
    middleware = import_module("opentelemetry.instrumentation.wsgi").OpenTelemetryMiddleware
    made = middleware(app, meter_provider=meters, tracer_provider=NoOpTracerProvider())
    return cast("WSGIApplication", made)
