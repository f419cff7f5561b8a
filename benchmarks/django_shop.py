"""A Django project of one view, and one WSGI handler of it for each list of middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OURS = "slo_otel_django.SLOMiddleware"


def item(_request: HttpRequest, item: int) -> HttpResponse:
    """A path parameter in, a line of text out."""
    return HttpResponse(str(item), content_type="text/plain")


urlpatterns = [path("items/<int:item>", item)]


def configure() -> None:
    """The settings of the project, once."""
    if settings.configured:
        return
    settings.configure(
        ALLOWED_HOSTS=["shop"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of no use",  # noqa: S106 - nothing is signed
        MIDDLEWARE=[],
    )
    django.setup()


def handler(*middleware: str) -> WSGIApplication:
    """A handler with this middleware, the first outermost, and with whatever is in the settings already."""
    before = list(settings.MIDDLEWARE)
    settings.MIDDLEWARE = [*middleware, *before]
    try:
        return WSGIHandler()
    finally:
        settings.MIDDLEWARE = before
