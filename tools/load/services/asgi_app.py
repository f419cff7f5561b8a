"""The service under uvicorn: FastAPI."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Response

import slo_otel

app = FastAPI()
slo_otel.configure(Path(__file__).with_name("slo.yaml")).instrument(app)


@app.post("/checkout")
async def checkout(status: int) -> Response:
    """The status that the caller wants."""
    return Response(status_code=status)
