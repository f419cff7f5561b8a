"""Django projects: the middleware is there while a handler is built, and what goes wrong there breaks nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
        [sys.executable, "project.py"], cwd=folder, env=here, capture_output=True, text=True, check=True, timeout=60
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
