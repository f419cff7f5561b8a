"""Requests whose path the project's own URLconf cannot resolve: what it raises is no fault of ours."""

from __future__ import annotations

import pytest
from django.http import Http404
from django.test import override_settings
from django.urls.converters import IntConverter

from slo_otel import errors
from slo_otel.plan import UNMATCHED_ROUTE
from tests.instrumentation.asgi_world import running
from tests.integrations.django.asking import ask_wsgi
from tests.integrations.django.project import HERE, wsgi

FAULT = "django.core.exceptions.ImproperlyConfigured"


def test_a_converter_that_raises_404_is_a_request_without_a_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django answers 404 for it, though it is not what its resolver raises where nothing matches."""

    def to_python(self: IntConverter, value: str) -> int:
        raise Http404

    monkeypatch.setattr(IntConverter, "to_python", to_python)
    with running() as world:
        assert ask_wsgi(wsgi(), "/ok/1/").status == 404
        key = world.key()
    assert (key.status, key.route) == (404, UNMATCHED_ROUTE)
    assert errors.faults() == {}


def test_a_urlconf_that_has_no_patterns_is_the_projects_failure() -> None:
    """Django answers 500, and the event says why; looking for the route once more raises the same again."""
    with running() as world, override_settings(ROOT_URLCONF=f"{HERE}.asking"):
        assert ask_wsgi(wsgi(), "/ok/1/").status == 500
        key = world.key()
    assert (key.status, key.route, key.error_type) == (500, UNMATCHED_ROUTE, FAULT)
    assert errors.faults() == {}
