"""Service levels of Django projects: the middleware, a system check and a command for slo_otel.

    MIDDLEWARE = ["slo_otel_django.SLOMiddleware", ...]
    SLO_OTEL = {"policy": "slo.yaml"}

Importing it reads no setting and starts nothing.
"""

from slo_otel_django._middleware import SLOMiddleware
from slo_otel_django._setup import status

__all__ = ["SLOMiddleware", "status"]
