"""The reason `bad_input`: what a framework's validation refused, and nothing else."""

from __future__ import annotations

import pytest

from slo_otel.plan import Outcome
from tests.instrumentation.asgi_world import running
from tests.integrations.django.asking import DOORS, Door

JSON = "application/json"
BAD_INPUT = "bad_input"

REFUSED = [
    ("/drf/orders/", "POST", b'{"amount": "many"}', 400, BAD_INPUT),
    ("/drf/orders/", "POST", b"{", 400, BAD_INPUT),
    ("/drf/orders/", "PUT", b"{}", 400, None),
    ("/drf/orders/", "PATCH", b"{}", 400, None),
    ("/drf/orders/", "GET", b"", 405, None),
    ("/ninja/items/3", "POST", b'{"amount": "many"}', 422, BAD_INPUT),
    ("/ninja/items/3", "POST", b"{", 400, BAD_INPUT),
    ("/ninja/hand-made/400", "GET", b"", 400, None),
    ("/ninja/hand-made/422", "GET", b"", 422, None),
    ("/raising/bad/", "GET", b"", 400, None),
]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize(("path", "method", "body", "status", "reason"), REFUSED)
def test_only_what_a_framework_refused_is_bad_input(
    door: Door, path: str, method: str, body: bytes, status: int, reason: str | None
) -> None:
    """Django REST framework's and Ninja's own errors have the reason, from the first request of a process on."""
    with running() as world:
        answer = door.ask(door.build(), path, method, body, JSON if body else "")
        key = world.key()
    assert (answer.status, key.status, key.outcome, key.reason) == (status, status, Outcome.REJECTED, reason)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize(("path", "method"), [("/drf/orders/", "DELETE"), ("/ninja/boom", "GET")])
def test_what_neither_handles_is_an_exception(door: Door, path: str, method: str) -> None:
    """An exception in their views reaches Django, with its type."""
    with running() as world:
        door.ask(door.build(), path, method)
        key = world.key()
    assert (key.status, key.outcome, key.error_type, key.reason) == (
        500,
        Outcome.EXCEPTION,
        "ZeroDivisionError",
        None,
    )
