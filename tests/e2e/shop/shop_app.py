"""A shop whose checkout answers as its caller wants: the service of the end-to-end tests."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import FastAPI, HTTPException

import slo_otel

app = FastAPI()
slo_otel.configure(Path(__file__).with_name("slo.yaml")).instrument(app)


@app.post("/checkout")
async def checkout(ends: Literal["good", "bad", "excluded"]) -> dict[str, str]:
    """Succeed, fail, or be sold out."""
    if ends == "bad":
        raise HTTPException(503, "the payment provider is away")
    if ends == "excluded":
        slo_otel.current_event().set(reason="sold_out")
        raise HTTPException(409, "sold out")
    return {"receipt": "r1"}
