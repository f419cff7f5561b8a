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

_STARLETTE = """\
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def order(request):
    return Response(status_code=503 if request.path_params["number"] == 5 else 200)

async def broken(request):
    raise RuntimeError("on purpose")

app = Starlette(routes=[Route("/orders/{number:int}", order), Route("/broken", broken)])
"""

_MEASURED = """\
import slo_otel
from shop import app

slo_otel.configure().instrument(app)
"""

REQUESTS: Final = (*(f"/orders/{number}" for number in range(8)), "/broken", "/nowhere")


@dataclass(frozen=True, slots=True)
class Shop:
    """A service as its files, and the command that serves it on a port."""

    files: Mapping[str, str]
    explicit: Mapping[str, str]
    """The files that measure it in code."""
    command: tuple[str, ...]
    """With `{module}` and `{port}` to be filled in."""

    def write(self, folder: Path) -> None:
        """Save every file, and the policy."""
        for name, text in {**self.files, **self.explicit, "slo.yaml": POLICY}.items():
            (folder / name).write_text(text, encoding="utf-8")

    def serve(self, port: int, *, explicit: bool) -> list[str]:
        """The command, for the unmodified service or the one that is measured in code."""
        module = "measured" if explicit else "shop"
        return [part.format(module=module, port=port) for part in self.command]


_UVICORN: Final = ("uvicorn", "{module}:app", "--port", "{port}", "--no-access-log")
SHOPS: Final[Mapping[str, Shop]] = {
    "fastapi": Shop({"shop.py": _FASTAPI}, {"measured.py": _MEASURED}, _UVICORN),
    "starlette": Shop({"shop.py": _STARLETTE}, {"measured.py": _MEASURED}, _UVICORN),
}
