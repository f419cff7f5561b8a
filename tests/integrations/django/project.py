"""A Django project in memory: settings once for the process, and handlers with the middleware that a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, cast

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from slo_otel.instrumentation import ASGIApp

OURS = "slo_otel_django.SLOMiddleware"
HERE = "tests.integrations.django"

if not settings.configured:
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=f"{HERE}.urls",
        INSTALLED_APPS=[
            "slo_otel_django",
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "rest_framework",
        ],
        # SQLite's own temporary file, which goes with its connection: Django never closes a database in memory.
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:"}},
        MIDDLEWARE=[OURS],
        LANGUAGE_CODE="en",
        LANGUAGES=[("en", "English"), ("de", "Deutsch")],
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []},
        LOGGING_CONFIG=None,
    )
    django.setup()


class Handler(ASGIHandler):
    """Django leaves the body's file open when an exception or a cancellation goes through; this one has none."""

    async def read_body(self, receive: Any) -> Any:
        """The body in memory."""
        with await super().read_body(receive) as body:
            return BytesIO(body.read())


def wsgi(middleware: Sequence[str] = (OURS,), **overrides: object) -> WSGIHandler:
    """The project as a WSGI application. Settings that count later need `override_settings` around the test."""
    with override_settings(MIDDLEWARE=list(middleware), **overrides):
        return WSGIHandler()


def asgi(middleware: Sequence[str] = (OURS,), **overrides: object) -> ASGIApp:
    """The same as an ASGI application."""
    with override_settings(MIDDLEWARE=list(middleware), **overrides):
        return cast("ASGIApp", Handler())
