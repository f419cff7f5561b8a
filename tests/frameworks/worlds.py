"""The frameworks of the suite."""

from __future__ import annotations

from tests.frameworks.asgi_worlds import FASTAPI, STARLETTE
from tests.frameworks.flask_world import FLASK
from tests.frameworks.world import World

WORLDS: tuple[World, ...] = (STARLETTE, FASTAPI, FLASK)
