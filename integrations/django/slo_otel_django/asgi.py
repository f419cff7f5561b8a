"""For `asgi.py` of a project: Django's application, with the lifespan that it does not have."""

from __future__ import annotations

from typing import cast

from django.core import asgi

from slo_otel import SLOMiddleware
from slo_otel.instrumentation import ASGIApp


def get_asgi_application() -> ASGIApp:
    """In place of `django.core.asgi.get_asgi_application`.

    A server says by the lifespan that it stops, and Django takes no part in it; uvicorn then ends by the signal,
    and what was counted since the last export would be lost. `slo_otel.SLOMiddleware` around Django answers the
    lifespan and sends what is left. With the middleware in the settings a request is still one event.
    """
    return SLOMiddleware(cast("ASGIApp", asgi.get_asgi_application()))
