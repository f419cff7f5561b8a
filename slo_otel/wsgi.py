"""The middleware for WSGI applications: Flask, and whatever else a WSGI server runs."""

from slo_otel.instrumentation import WSGIMiddleware as SLOMiddleware

__all__ = ["SLOMiddleware"]
