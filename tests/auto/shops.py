"""One shop in each framework that knows nothing of service levels, and the three lines that measure it in code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

POLICY: Final = """\
version: slo/v1
service: shop
step: 1s
slos:
  - name: answered
    sli: {success: http}
    objective: 99%
    window: 1h
    per: [route]
  - name: orders
    sli: {success: GET /orders/**}
    objective: 99%
    window: 1h
"""

_FASTAPI = """\
from fastapi import FastAPI, Response

app = FastAPI(openapi_url=None)

@app.get("/orders/{number}")
async def order(number: int) -> Response:
    return Response(status_code=503 if number == 5 else 200)

@app.get("/broken")
async def broken() -> None:
    raise RuntimeError("on purpose")
"""

_FLASK = """\
from flask import Flask

app = Flask(__name__)

@app.get("/orders/<int:number>")
def order(number):
    return "", 503 if number == 5 else 200

@app.get("/broken")
def broken():
    raise RuntimeError("on purpose")
"""

_DJANGO = """\
from django.http import HttpResponse
from django.urls import path

SECRET_KEY = "of a test"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "shop"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]

def order(request, number):
    return HttpResponse(status=503 if number == 5 else 200)

def broken(request):
    raise RuntimeError("on purpose")

urlpatterns = [path("orders/<int:number>", order), path("broken", broken)]
"""

_DJANGO_MEASURED = """\
from shop import *

MIDDLEWARE = ["slo_otel_django.SLOMiddleware", *MIDDLEWARE]
"""

_MEASURED = """\
import slo_otel
from shop import app

slo_otel.configure().instrument(app)
"""

REQUESTS: Final = (*(f"/orders/{number}" for number in range(8)), "/broken", "/nowhere")


def _series(slo: str, verdict: str, route: str | None = None) -> tuple[tuple[str, str], ...]:
    of_route = () if route is None else (("http.route", route),)
    return (*of_route, ("slo.name", slo), ("slo.verdict", verdict))


EXPECTED: Final = {
    _series("answered", "good", "/orders/{number}"): 7,
    _series("answered", "bad", "/orders/{number}"): 1,
    _series("answered", "bad", "/broken"): 1,
    _series("answered", "bad", "unmatched"): 1,
    _series("orders", "good"): 7,
    _series("orders", "bad"): 1,
}
"""Of `REQUESTS`, in every framework and however it is measured."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A service as its files, and the command that serves it on a port."""

    files: Mapping[str, str]
    explicit: Mapping[str, str]
    """The files that measure it in code."""
    command: tuple[str, ...]
    """With `{module}` and `{port}` to be filled in."""
    settings: str | None = None
    """The variable that names the module, where the command does not."""

    def write(self, folder: Path) -> None:
        """Save every file, and the policy."""
        for name, text in {**self.files, **self.explicit, "slo.yaml": POLICY}.items():
            (folder / name).write_text(text, encoding="utf-8")

    def serve(self, module: str, port: int) -> list[str]:
        """The command, for the unmodified service (`shop`) or the one that is measured in code (`measured`)."""
        return [part.format(module=module, port=port) for part in self.command]

    def variables(self, module: str) -> dict[str, str]:
        """What the environment has to say."""
        return {} if self.settings is None else {self.settings: module}


_UVICORN: Final = ("uvicorn", "{module}:app", "--port", "{port}", "--no-access-log")
SHOPS: Final[Mapping[str, Shop]] = {
    "fastapi": Shop({"shop.py": _FASTAPI}, {"measured.py": _MEASURED}, _UVICORN),
    "flask": Shop(
        {"shop.py": _FLASK},
        {"measured.py": _MEASURED},
        ("flask", "--app", "{module}:app", "run", "--port", "{port}"),
    ),
    "django": Shop(
        {"shop.py": _DJANGO},
        {"measured.py": _DJANGO_MEASURED},
        ("django-admin", "runserver", "--noreload", "--pythonpath", ".", "{port}"),
        "DJANGO_SETTINGS_MODULE",
    ),
}
