"""`tag` on every kind of view: what it marked is what the event carries."""

from __future__ import annotations

import json

import pytest

from tests.instrumentation.asgi_world import running
from tests.integrations.django.asking import DOORS, Door

JSON = "application/json"

VIEWS = [
    ("/ok/1/", "GET", False),
    ("/tagged/", "GET", True),
    ("/by-method/", "GET", False),
    ("/by-method/", "HEAD", False),
    ("/by-method/", "POST", True),
    ("/class/", "GET", True),
    ("/class/", "HEAD", True),
    ("/inherits/", "GET", True),
    ("/decorated/", "GET", True),
    ("/desk/", "GET", True),
    ("/desk/untagged/", "GET", False),
    ("/drf/orders/", "PATCH", False),
    ("/drf/below/", "GET", True),
    ("/drf/below/", "POST", True),
    ("/drf/above/", "GET", True),
    ("/drf/wallets/", "GET", False),
    ("/drf/wallets/", "POST", True),
    ("/drf/wallets/3/", "GET", False),
    ("/drf/wallets/3/spend/", "POST", True),
    ("/drf/purses/", "GET", True),
    ("/ninja/items/3", "GET", False),
    ("/ninja/items/3", "POST", True),
    ("/ninja/later", "GET", True),
]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize(("path", "method", "tagged"), VIEWS)
def test_a_tagged_view_is_of_its_category(door: Door, path: str, method: str, *, tagged: bool) -> None:
    """Functions, classes and their methods, viewsets and actions, function views and operations."""
    body = json.dumps({"amount": 3}).encode() if method == "POST" else b""
    with running() as world:
        answer = door.ask(door.build(), path, method, body, JSON if body else "")
        assert answer.status < 400 or method == "PATCH"
        assert world.key().names == (("money",) if tagged else ())
