"""`slo-otel run` and `opentelemetry-instrument` before real servers and their workers: each request counts once."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from slo_otel.receive import Receiver
from tests.auto.services import counted, serving
from tests.auto.shops import EXPECTED, SHOPS

pytestmark = pytest.mark.servers

_SERVERS: Final = {
    "uvicorn with workers": (
        "fastapi",
        "uvicorn {module}:app --port {port} --workers 2 --timeout-worker-healthcheck 60",
    ),
    "gunicorn": ("flask", "gunicorn {module}:app --bind 127.0.0.1:{port} --workers 2"),
    "gunicorn preload": ("flask", "gunicorn {module}:app --bind 127.0.0.1:{port} --workers 2 --preload"),
    "hypercorn": ("fastapi", "hypercorn {module}:app --bind 127.0.0.1:{port} --workers 2"),
    "Django on uvicorn with workers": (
        "django",
        "uvicorn django_asgi:app --port {port} --workers 2 --timeout-worker-healthcheck 60",
    ),
    "Django on gunicorn": ("django", "gunicorn django_wsgi:app --bind 127.0.0.1:{port} --workers 2"),
}
"""The framework, and the command."""


_DJANGO: Final = {
    f"django_{kind}.py": f"from django.core.{kind} import get_{kind}_application as made\n\napp = made()\n"
    for kind in ("asgi", "wsgi")
}
"""What a project has for each kind of server; the settings are named by the environment."""
_LAUNCHED = ("gunicorn", "gunicorn preload", "Django on uvicorn with workers", "Django on gunicorn")
"""Behind opentelemetry-instrument. Not uWSGI: it forks without Python's hooks, so the launcher's reader waits at
the end for a thread that is not there, and workers are killed with what they have, with slo_otel and without it.
"""
_PAIRS = [(server, "slo-otel run") for server in _SERVERS] + [
    (server, "opentelemetry-instrument") for server in _LAUNCHED
]


@pytest.mark.parametrize(("server", "launcher"), _PAIRS)
def test_workers_inherit_what_measures(server: str, launcher: str, tmp_path: Path) -> None:
    """Forked or spawned, each worker is configured when it serves, and sends what it has when it ends."""
    framework, command = _SERVERS[server]
    shop = replace(SHOPS[framework], files={**SHOPS[framework].files, **_DJANGO}, command=tuple(command.split()))
    with Receiver() as receiver:
        with serving(tmp_path, shop, launcher, receiver.endpoint) as served:
            assert served.get() == [200, 200, 200, 200, 200, 503, 200, 200, 500, 404]
            said = served.stop(signal.SIGTERM)
        assert counted(receiver) == EXPECTED, said
    assert "nothing is measured" not in said
