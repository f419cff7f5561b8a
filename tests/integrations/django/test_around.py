"""A middleware of ours around Django, and Django's own inside: one event, which knows what both know."""

from __future__ import annotations

from typing import Any

import pytest

from slo_otel import SLOMiddleware, wsgi
from slo_otel.plan import Outcome
from tests.instrumentation.asgi_world import running
from tests.integrations.django.asking import DOORS, Door

pytestmark = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


def around(door: Door) -> Any:
    """The project inside the middleware of its own protocol."""
    return (SLOMiddleware if door.name == "asgi" else wsgi.SLOMiddleware)(door.build())


def test_two_of_ours_count_one_event(door: Door) -> None:
    """The outer one counts the request, under the route that only the inner one can know."""
    with running() as world:
        app = around(door)
        for _ in range(2):
            assert door.ask(app, "/ok/1/").body == b"ok"
        assert world.counts() == {("GET", "/ok/{id}/", 200, Outcome.SUCCESS): 2}


def test_the_outer_one_learns_of_exceptions(door: Door) -> None:
    """It sees a 500, and the one inside tells it of what."""
    with running() as world:
        door.ask(around(door), "/raising/boom/")
        key = world.key()
    assert (key.route, key.status, key.error_type) == ("/raising/{name}/", 500, "ZeroDivisionError")


@pytest.mark.parametrize(("path", "names"), [("/tagged/", ("money",)), ("/by-method/", ())])
def test_the_outer_one_learns_of_tags(door: Door, path: str, names: tuple[str, ...]) -> None:
    """Tags of the view belong to the event, whoever counts it."""
    with running() as world:
        door.ask(around(door), path)
        assert world.key().names == names


def test_the_outer_one_learns_of_bad_input(door: Door) -> None:
    """So does what a framework's validation refused."""
    with running() as world:
        door.ask(around(door), "/drf/orders/", "POST", b"{", "application/json")
        assert world.key().reason == "bad_input"
