"""A middleware of ours around Django, and Django's own inside: one event, which knows what both know."""

from __future__ import annotations

import pytest

from slo_otel import SLOMiddleware
from slo_otel.plan import Outcome
from tests.instrumentation.asgi_world import running
from tests.integrations.django.asking import ask_asgi
from tests.integrations.django.project import asgi


def test_two_of_ours_count_one_event() -> None:
    """The outer one counts the request, under the route that only the inner one can know."""
    with running() as world:
        ask_asgi(SLOMiddleware(asgi()), "/ok/1/")
        assert world.counts() == {("GET", "/ok/{id}/", 200, Outcome.SUCCESS): 1}


def test_the_outer_one_learns_of_exceptions() -> None:
    """It sees a 500, and the one inside tells it of what."""
    with running() as world:
        ask_asgi(SLOMiddleware(asgi()), "/raising/boom/")
        key = world.key()
    assert (key.route, key.status, key.error_type) == ("/raising/{name}/", 500, "ZeroDivisionError")


@pytest.mark.parametrize(("path", "names"), [("/tagged/", ("money",)), ("/by-method/", ())])
def test_the_outer_one_learns_of_tags(path: str, names: tuple[str, ...]) -> None:
    """Tags of the view belong to the event, whoever counts it."""
    with running() as world:
        ask_asgi(SLOMiddleware(asgi()), path)
        assert world.key().names == names
