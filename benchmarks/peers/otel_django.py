"""opentelemetry-instrumentation-django: a middleware that its instrumentor puts into the settings."""

from __future__ import annotations

import os
from importlib import import_module

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import NoOpTracerProvider


def into_settings(meters: MeterProvider) -> None:
    """With metrics alone, the stable HTTP conventions, and nothing said about the rest."""
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http"
    instrumentor = import_module("opentelemetry.instrumentation.django").DjangoInstrumentor()
    instrumentor.instrument(meter_provider=meters, tracer_provider=NoOpTracerProvider())
