"""Django projects: the middleware is there while a handler is built, and what goes wrong there breaks nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slo_otel.receive import Receiver
from tests.auto.services import environment
from tests.auto.shops import POLICY

_SERVED = """\
import os, sys
from slo_otel.auto import begin
begin()
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
OWN = "slo_otel_django.SLOMiddleware"
urlpatterns = [path("hello/<name>", lambda request, name: HttpResponse(name))]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], MIDDLEWARE=(), **GIVEN)
django.setup()
from django.test import Client
answers = [Client().get("/hello/you").content.decode() for _ in range(3)]
from slo_otel.instrumentation import active
running = active()
cells = () if running is None else running.recorder.snapshot(0, 0).cells
print(answers, [(cell.key.route, cell.count) for cell in cells], settings.MIDDLEWARE)
"""


def served(folder: Path, given: str = "{}", before: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Three requests to a project with these settings, in a process of its own."""
    (folder / "slo.yaml").write_text(POLICY, encoding="utf-8")
    (folder / "project.py").write_text(f"{before}\nGIVEN = {given}\n{_SERVED}", encoding="utf-8")
    here = environment("http://127.0.0.1:9", OTEL_METRICS_EXPORTER="none", **more)
    here.pop("SLO_OTEL_STRICT", None)
    return subprocess.run(
        [sys.executable, "project.py"],
        cwd=folder,
        env=here,
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )


def test_every_request_is_one_event_and_the_settings_stay_as_they_are(tmp_path: Path) -> None:
    """Three handlers are built, each with our middleware first; whoever reads the settings finds the project's."""
    ran = served(tmp_path)
    assert ran.stdout == "['you', 'you', 'you'] [('/hello/{name}', 3)] ()\n", ran.stderr
    assert ran.stderr == ""


@pytest.mark.parametrize(
    ("given", "before", "said"),
    [
        ('{"SLO_OTEL": {"polcy": "x"}}', "", "has no key 'polcy'"),
        ('{"SLO_OTEL": {"policy": "other.yaml"}}', "", "cannot read the policy"),
        ("{}", "import sys; sys.modules['slo_otel_django'] = None", 'pip install "slo-otel[django]"'),
    ],
    ids=["key", "policy", "not installed"],
)
def test_what_cannot_be_measured_serves_all_the_same(tmp_path: Path, given: str, before: str, said: str) -> None:
    """The middleware raises for a set-up that cannot work; nobody wrote it down, so the handler goes without it."""
    ran = served(tmp_path, given, before)
    assert ran.stdout.startswith("['you', 'you', 'you'] ")
    assert ran.stdout.endswith(" ()\n")
    assert ran.stderr.count("slo_otel: nothing is measured") == 1
    assert said in ran.stderr


_STOPPED = """\
import asyncio, os, sys
from slo_otel.auto import begin
begin()
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("orders/<name>", lambda request, name: HttpResponse(name))]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=())
from django.core.asgi import get_asgi_application
REQUEST = {"type": "http", "method": "GET", "path": "/orders/you", "query_string": b"", "headers": []}


async def connect(application, scope, *messages):
    said, incoming = [], iter(messages)

    async def receive():
        found = next(incoming, None)
        return found if found is not None else await asyncio.Event().wait()

    async def send(message):
        said.append(message["type"])

    await application(dict(scope, asgi={"version": "3.0"}), receive, send)
    return said


async def serve():
    application = get_asgi_application()
    assert asyncio.iscoroutinefunction(application.__call__)  # by which uvicorn knows ASGI 3
    print(await connect(application, REQUEST, {"type": "http.request"}))
    stop = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    print(await connect(application, {"type": "lifespan"}, *stop))


try:
    asyncio.run(serve())
except ValueError as fault:
    print(fault)
sys.stdout.flush()
os._exit(0)  # as uvicorn ends by SIGTERM: no hook of the interpreter's runs
"""
_ANSWERED = "['http.response.start', 'http.response.body']\n"


def stopped(folder: Path, endpoint: str, policy: str = POLICY) -> str:
    """What an unmodified project does under an ASGI server that says that it stops, and then is gone."""
    (folder / "slo.yaml").write_text(policy, encoding="utf-8")
    (folder / "project.py").write_text(_STOPPED, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "project.py"],
        cwd=folder,
        env=environment(endpoint),
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    return ran.stdout


def test_an_unmodified_asgi_project_sends_what_is_left_when_the_server_stops(tmp_path: Path) -> None:
    """Django refuses the lifespan, by which a server says that it stops; without code it is answered for Django."""
    with Receiver() as receiver:
        said = stopped(tmp_path, receiver.endpoint)
        assert said == f"{_ANSWERED}['lifespan.startup.complete', 'lifespan.shutdown.complete']\n"
        assert receiver.counter("slo.events", slo_name="orders", slo_verdict="good") == 1


def test_an_asgi_project_that_is_not_measured_refuses_the_lifespan_as_ever(tmp_path: Path) -> None:
    """With a policy that cannot be used nothing is ours to send, and the server hears what Django raises."""
    said = stopped(tmp_path, "http://127.0.0.1:9", "version: slo/v1")
    assert said == f"{_ANSWERED}Django can only handle ASGI/HTTP connections, not lifespan.\n"
