"""Middleware of one kind only beside ours, under a server of the other kind: Django changes over in between."""

from __future__ import annotations

import pytest

from slo_otel import errors
from slo_otel.plan import Outcome
from tests.instrumentation.asgi_world import running
from tests.integrations.django.asking import DOORS, Door
from tests.integrations.django.project import HERE, OURS


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize("neighbour", ["Synchronous", "Asynchronous"])
def test_each_kind_of_neighbour_under_each_kind_of_server(door: Door, neighbour: str) -> None:
    """Ours is what its neighbour is; the request is that of the server all the same, and one event."""
    with running() as world:
        app = door.build((OURS, f"{HERE}.middleware.{neighbour}"))
        for path in ("/ok/1/", "/raising/boom/"):
            door.ask(app, path)
        assert world.counts() == {
            ("GET", "/ok/{id}/", 200, Outcome.SUCCESS): 1,
            ("GET", "/raising/{name}/", 500, Outcome.EXCEPTION): 1,
        }
    assert errors.faults() == {}
