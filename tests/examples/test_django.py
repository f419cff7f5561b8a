"""The shop on Django runs as its page says, behind a WSGI and an ASGI server, and what it counted arrives."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from slo_otel.receive import Receiver
from tests.frameworks.world import fetch, status_of
from tests.patience import reserved

PLACE = Path(__file__).resolve().parent.parent.parent / "examples" / "django"
MANAGE = [sys.executable, "manage.py"]
SIGNATURE = hmac.new(b"only-for-trying-it", b"{}", hashlib.sha256).hexdigest()
DEADLINE_SECONDS = 60.0


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """That of a user who has configured nothing, with a database of the test's own."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SLO_OTEL_", "DJANGO_"))
    }
    return (
        clean
        | {"SHOP_DATABASE": str(tmp_path / "db.sqlite3"), "SLO_OTEL_STRICT": "1", "PYTHONUNBUFFERED": "1"}
        | more
    )


def manage(tmp_path: Path, *arguments: str) -> str:
    """What `manage.py` prints; it must not fail."""
    ended = subprocess.run(
        [*MANAGE, *arguments],
        cwd=PLACE,
        env=environment(tmp_path),
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def command(server: str, port: int) -> list[str]:
    """How the shop is served."""
    if server == "runserver":
        return [*MANAGE, "runserver", "--noreload", f"127.0.0.1:{port}"]
    return [sys.executable, "-m", "uvicorn", "shop.asgi:application", "--port", str(port), "--log-level", "warning"]


@contextmanager
def serving(tmp_path: Path, server: str, ended_by: signal.Signals, collector: Receiver) -> Iterator[int]:
    """The shop on a port, ended by a signal."""
    variables = environment(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with (
        reserved() as port,
        subprocess.Popen(command(server, port), cwd=PLACE, env=variables, **pipes) as running,
    ):
        try:
            _await(port, running)
            yield port
        finally:
            running.send_signal(ended_by)
            said, _ = running.communicate(timeout=DEADLINE_SECONDS)
        assert "a fault of ours" not in said


def _await(port: int, running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while running.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError("the shop does not serve")


def ask(port: int, method: str, path: str, body: str = "", **headers: str) -> int:
    """The status of one answer, read until the server has done with it: what it counts it has counted."""
    return status_of(fetch(port, path, method, body, **headers))


def order(amount: int) -> str:
    return json.dumps({"customer": "ada", "amount": amount})


REQUESTS = [
    ("POST", "/orders/", order(6_000), 201),
    ("POST", "/orders/", order(6_000), 402),
    ("POST", "/orders/", "no json", 400),
    ("GET", "/orders/1/", "", 200),
    ("GET", "/orders/2/", "", 404),
    ("GET", "/orders/2", "", 301),
    ("GET", "/orders.csv", "", 200),
    ("POST", "/webhooks/stripe/", "{}", 200),
    ("POST", "/webhooks/stripe/", "{} ", 401),
    ("GET", "/broken/", "", 500),
    ("GET", "/nowhere/", "", 404),
    ("GET", "/slo/", "", 200),
]

COUNTED = {
    ("orders", "good"): 1,
    ("orders", "bad"): 0,
    ("orders", "excluded"): 2,
    ("webhooks", "good"): 1,
    ("webhooks", "excluded"): 1,
    ("exports", "good"): 1,
    ("requests", "good"): 10,
    ("requests", "bad"): 1,
}


@pytest.mark.parametrize(("server", "ended_by"), [("runserver", signal.SIGINT), ("uvicorn", signal.SIGTERM)])
def test_what_the_shop_served_arrives(tmp_path: Path, server: str, ended_by: signal.Signals) -> None:
    """Every request is counted once, as the policy says, and the end of the server loses none."""
    manage(tmp_path, "migrate", "--verbosity", "0")
    with Receiver() as collector:
        with serving(tmp_path, server, ended_by, collector) as port:
            for method, path, body, status in REQUESTS:
                assert ask(port, method, path, body, **{"X-Signature": SIGNATURE}) == status, path
        found = {
            (slo, verdict): collector.counter("slo.events", slo_name=slo, slo_verdict=verdict)
            for slo, verdict in COUNTED
        }
        routes = {point.attribute("http.route") for point in collector.find("slo.events", slo_name="requests")}
    assert found == COUNTED
    assert routes == {
        "/orders/",
        "/orders/{number}/",
        "/orders.csv",
        "/webhooks/{provider}/",
        "/broken/",
        "unmatched",
    }


def test_the_shop_has_nothing_to_complain_of(tmp_path: Path) -> None:
    """Its check is clean, and its models have their migrations."""
    assert manage(tmp_path, "check") == "System check identified no issues (0 silenced).\n"
    assert manage(tmp_path, "makemigrations", "--check", "--dry-run") == "No changes detected\n"
