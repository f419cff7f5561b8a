"""A payments service: real routes, service levels in two lines, and a dial for trouble that the demo turns.

uvicorn service:app --app-dir examples/payments
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

import slo_otel

WEBHOOK_SECRET = os.environ.get("PAYMENTS_WEBHOOK_SECRET", "only-for-the-demo").encode()

app = FastAPI(title="payments")
levels = slo_otel.configure(Path(__file__).with_name("slo.yaml"))
levels.instrument(app)


class Faults(BaseModel):
    """The dial: shares of calls that fail and that are slow."""

    errors: float = Field(default=0.0, ge=0, le=1)
    slow: float = Field(default=0.0, ge=0, le=1)


class Trouble:
    """What the dial does to the stores and models below."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._random = random.Random(7)

    async def delay(self, seconds: float) -> None:
        """Take about so long, and 200 ms longer when slowness strikes."""
        struck = self._random.random() < self.faults.slow
        await asyncio.sleep(seconds * self._random.uniform(0.5, 1.5) + 0.2 * struck)

    def strikes(self) -> bool:
        """Whether this call fails."""
        return self._random.random() < self.faults.errors


trouble = Trouble()


class Spend(BaseModel):
    """An order to spend from a wallet, in cents."""

    wallet: str
    amount: int = Field(gt=0)


class StoreDownError(Exception):
    """The wallet store did not answer."""


class ModelError(Exception):
    """The model gave no answer."""


class WalletStore:
    """Balances in memory; a wallet that is new starts with 10,000 cents."""

    def __init__(self) -> None:
        self._balances: dict[str, int] = {}

    async def spend(self, wallet: str, amount: int) -> int | None:
        """The balance that is left, or None when it does not suffice."""
        await trouble.delay(0.004)
        if trouble.strikes():
            raise StoreDownError(wallet)
        balance = self._balances.get(wallet, 10_000)
        if amount > balance:
            return None
        self._balances[wallet] = balance - amount
        return balance - amount


class FakeModel:
    """A language model in the process."""

    async def complete(self, text: str) -> str:
        """The first words of the text, or a failure."""
        await trouble.delay(0.01)
        if trouble.strikes():
            raise ModelError("overloaded")
        return " ".join(text.split()[:5])


wallets = WalletStore()
model = FakeModel()


@app.post("/wallet/spend")
@slo_otel.tag("critical_money_flow")
async def spend(order: Spend) -> dict[str, int]:
    """Spend from a wallet; 402 when the balance does not suffice."""
    left = await wallets.spend(order.wallet, order.amount)
    if left is None:
        slo_otel.current_event().set(reason="insufficient_balance")
        raise HTTPException(402, "insufficient balance")
    return {"balance": left}


@app.post("/webhooks/{provider}")
async def webhook(provider: str, request: Request, x_signature: Annotated[str, Header()] = "") -> dict[str, str]:
    """Take a notification that its provider signed; 401 otherwise."""
    expected = hmac.new(WEBHOOK_SECRET, await request.body(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, x_signature):
        raise HTTPException(401, "wrong signature")
    if trouble.strikes():
        raise HTTPException(503, "try again")
    return {"taken": provider}


@slo_otel.track("ai_call", operation="summarise", bad=(ModelError,))
async def summarise(text: str) -> str:
    """Ask the model. A failure of it is an event of its own, whatever the request makes of it."""
    return await model.complete(text)


@app.post("/summaries")
async def summaries(request: Request) -> JSONResponse:
    """Summarise the text of the body; without the model, say so and answer all the same."""
    text = (await request.body()).decode(errors="replace")
    try:
        return JSONResponse({"summary": await summarise(text)})
    except ModelError:
        return JSONResponse({"summary": None, "note": "the model is away"}, status_code=200)


@app.get("/answers")
async def answers(pieces: Annotated[int, Query(ge=1, le=500)] = 12) -> StreamingResponse:
    """An answer in so many pieces, as server-sent events."""

    async def stream() -> AsyncIterator[str]:
        await trouble.delay(0.01)
        for number in range(pieces):
            yield f"data: piece {number}\n\n"
            await asyncio.sleep(0.03)

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.get("/health")
async def health() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "ok"}


@app.get("/slo")
async def slo() -> JSONResponse:
    """What this process knows of its service levels, for the demo's table."""
    return JSONResponse(json.loads(json.dumps(levels.status().to_json())))


@app.put("/faults")
async def set_faults(faults: Faults) -> Faults:
    """Turn the dial."""
    trouble.faults = faults
    return faults
