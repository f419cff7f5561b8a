"""prometheus-fastapi-instrumentator, as its README writes it."""

from __future__ import annotations

from importlib import import_module

from fastapi import FastAPI


def instrumented(app: FastAPI) -> FastAPI:
    """With its default metrics and its page, which nobody asks for here."""
    import_module("prometheus_fastapi_instrumentator").Instrumentator().instrument(app).expose(app)
    return app
