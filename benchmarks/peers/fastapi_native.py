"""FastAPI's own telemetry (0.142 and newer), metrics alone: as when only a meter provider is configured."""

from __future__ import annotations

from fastapi import FastAPI
from opentelemetry.metrics import MeterProvider


def application(meters: MeterProvider) -> FastAPI:
    """An application that records `http.server.request.duration` and active requests itself."""
    return FastAPI(telemetry={"meter_provider": meters, "metrics": True, "tracing": False, "logs": False})
