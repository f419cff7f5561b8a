"""The frameworks of the suite."""

from __future__ import annotations

from tests.frameworks.asgi_worlds import FASTAPI, STARLETTE
from tests.frameworks.django_worlds import DJANGO_ASGI, DJANGO_WSGI
from tests.frameworks.flask_world import FLASK
from tests.frameworks.world import World

WORLDS: tuple[World, ...] = (STARLETTE, FASTAPI, FLASK, DJANGO_WSGI, DJANGO_ASGI)
