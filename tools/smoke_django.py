"""Run by tools/wheel.py with the Python of an environment that holds Django's adapter: a small project."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import types
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.urls import path

import slo_otel
import slo_otel_django
from slo_otel.receive import Receiver

POLICY = """\
version: slo/v1
service: smoke
step: 1s
slos:
  - name: checkout
    sli: {success: "POST /checkout/{number}/"}
    objective: 99%
    window: 1h
"""
ANSWERS = (200, 200, 200, 503)
HEAVY = ("django", "fastapi", "flask", "grpc", "opentelemetry.exporter", "pydantic", "ruamel", "starlette", "wrapt")


def checkout(request: HttpRequest, number: int) -> HttpResponse:
    """A view that answers as it is asked to."""
    return HttpResponse(status=number)


def project(policy: Path) -> WSGIHandler:
    """A Django project in this process."""
    urls = types.ModuleType("smoke_urls")
    urls.urlpatterns = [path("checkout/<int:number>/", checkout)]  # type: ignore[attr-defined]  # a URLconf
    sys.modules["smoke_urls"] = urls
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="smoke_urls",
        INSTALLED_APPS=["slo_otel_django"],
        MIDDLEWARE=["slo_otel_django.SLOMiddleware"],
        SLO_OTEL={"policy": policy},
    )
    django.setup()
    call_command("check", fail_level="WARNING")
    return WSGIHandler()


def serve(app: WSGIHandler, number: int) -> None:
    """One request, by hand."""
    environ: dict[str, object] = {"REQUEST_METHOD": "POST", "PATH_INFO": f"/checkout/{number}/", "SCRIPT_NAME": ""}
    setup_testing_defaults(environ)
    app(environ, lambda *_: lambda data: None).close()


def imported() -> list[str]:
    """Which heavy libraries `import slo_otel` loads, in a process of its own."""
    code = f"import sys, slo_otel; print(*[name for name in {HEAVY} if name in sys.modules])"
    return subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()


def main() -> int:
    """Serve, look at what arrived; 0 when all of it is right."""
    tree = Path(__file__).resolve().parent.parent
    assert tree not in Path(slo_otel.__file__).parents, "the source tree was imported"
    assert tree not in Path(slo_otel_django.__file__).parents, "the source tree was imported"
    assert files("slo_otel_django").joinpath("py.typed").is_file(), "py.typed is not in the wheel"
    assert not [name for name in ("fastapi", "flask", "starlette", "grpc") if find_spec(name)], "another framework"
    assert imported() == [], imported()
    with tempfile.TemporaryDirectory() as directory, Receiver() as receiver:
        policy = Path(directory, "slo.yaml")
        policy.write_text(POLICY, encoding="utf-8")
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.endpoint
        app = project(policy)
        for number in ANSWERS:
            serve(app, number)
        assert slo_otel.configure(policy).shutdown(), "the last export failed"
        arrived = {verdict: receiver.counter("slo.events", slo_verdict=verdict) for verdict in ("good", "bad")}
    assert arrived == {"good": 3, "bad": 1}, arrived
    print(f"Django {django.get_version()}: {arrived['good']} good, {arrived['bad']} bad")
    return 0


if __name__ == "__main__":
    sys.exit(main())
