"""A bounded generator of real HTTP traffic that remembers what the client saw."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

SECRET = b"only-for-the-demo"
LEFT = "left"
"""The outcome of a request whose client went away before the end."""
ANSWERED = "answered"


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """One kind of request as both sides can name it."""

    method: str
    route: str
    status: str
    end: str = ANSWERED


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the run: how long, and what the service's dial says."""

    name: str
    share: float
    """Of the whole run."""
    errors: float = 0.0
    slow: float = 0.0
    leaving: float = 0.0
    """The share of the clients of the stream that leave mid-way."""


PHASES = (
    Phase("healthy", 0.35),
    Phase("trouble: failures, slowness, clients that leave", 0.35, errors=0.15, slow=0.3, leaving=0.5),
    Phase("recovery", 0.3),
)


class Traffic:
    """Sends requests at a steady rate, at most `bound` at once. `seen` counts every one."""

    def __init__(self, client: httpx.AsyncClient, rate: float, bound: int = 16) -> None:
        self.seen: Counter[Seen] = Counter()
        self.phase = PHASES[0]
        self._client = client
        self._pause = 1 / rate
        self._slots = asyncio.Semaphore(bound)
        self._random = random.Random(11)
        self._mix: tuple[tuple[Callable[[], Awaitable[Seen]], int], ...] = (
            (self._spend, 40),
            (self._webhook, 20),
            (self._summary, 15),
            (self._answer, 10),
            (self._health, 10),
            (self._unknown, 5),
        )

    async def run(self, seconds: float) -> None:
        """All phases; returns when the last answer has arrived."""
        for self.phase in PHASES:
            await self._turn_dial()
            await self._send_for(seconds * self.phase.share)

    async def _turn_dial(self) -> None:
        dial = {"errors": self.phase.errors, "slow": self.phase.slow}
        (await self._client.put("/faults", json=dial)).raise_for_status()

    async def _send_for(self, seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        async with asyncio.TaskGroup() as sending:
            while clock() < end:
                await self._slots.acquire()
                sending.create_task(self._one())
                await asyncio.sleep(self._pause)

    async def _one(self) -> None:
        choices, weights = zip(*self._mix, strict=True)
        try:
            self.seen[await self._random.choices(choices, weights)[0]()] += 1
        except httpx.HTTPError as fault:
            self.seen[Seen("?", "no answer", type(fault).__name__)] += 1
        finally:
            self._slots.release()

    async def _spend(self) -> Seen:
        amount = self._random.choices(("12", "900000", "nothing"), (90, 7, 3))[0]
        order = {"wallet": f"w{self._random.randrange(10_000)}", "amount": amount}
        answer = await self._client.post("/wallet/spend", json=order)
        return Seen("POST", "/wallet/spend", str(answer.status_code))

    async def _webhook(self) -> Seen:
        body = json.dumps({"event": "paid", "id": self._random.randrange(10**6)}).encode()
        secret = SECRET if self._random.random() > 0.05 else b"someone else's"
        signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
        answer = await self._client.post("/webhooks/stripe", content=body, headers={"X-Signature": signature})
        return Seen("POST", "/webhooks/{provider}", str(answer.status_code))

    async def _summary(self) -> Seen:
        answer = await self._client.post("/summaries", content="one two three four five six seven")
        return Seen("POST", "/summaries", str(answer.status_code))

    async def _answer(self) -> Seen:
        leaves = self._random.random() < self.phase.leaving
        # Who leaves asks for ten seconds of answer, so that however busy the machine is it is not over before.
        pieces = 330 if leaves else 12
        async with self._client.stream("GET", "/answers", params={"pieces": pieces}) as answer:
            async for _ in answer.aiter_raw():
                if leaves:
                    return Seen("GET", "/answers", str(answer.status_code), LEFT)
        return Seen("GET", "/answers", str(answer.status_code))

    async def _health(self) -> Seen:
        answer = await self._client.get("/health")
        return Seen("GET", "/health", str(answer.status_code))

    async def _unknown(self) -> Seen:
        answer = await self._client.get(f"/wallets/{self._random.randrange(10**6)}")
        return Seen("GET", "unmatched", str(answer.status_code))
