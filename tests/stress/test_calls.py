"""Requests, tracked calls, blocks and counts of eight threads at once, at a switch interval of a microsecond."""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextvars import copy_context
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import slo_otel
from slo_otel.instrumentation import Message, Receive, Scope, Send, SLOMiddleware
from tests.instrumentation.events_world import Verdicts, World, world
from tests.stress import scaled

THREADS = 8
ROUNDS = scaled(2_000, 60_000)


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class DeclinedError(Exception):
    """A call that fails."""


@slo_otel.track("webhook")
def deliver(*, declined: bool) -> None:
    """Succeeds or raises."""
    if declined:
        raise DeclinedError


@slo_otel.track("refund")
def refund(*, wrong: bool) -> None:
    """Succeeds, or says that it did not."""
    if wrong:
        slo_otel.current_event().bad("wrong_account")


@slo_otel.track("ai_call", operation="complete")
def complete(*, declined: bool) -> None:
    """Shares its category with the request around it: no second event."""
    if declined:
        raise DeclinedError


BLOCK = slo_otel.track("money")
"""One object for every thread."""


async def _chat(request: Request) -> Response:
    return PlainTextResponse("ok")


ROUTE = Route("/chat", _chat, methods=["POST"])
START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"ok"}


class Chat:
    """An ASGI application of one route; what a request does is in its query."""

    routes = (ROUTE,)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, after a model call that may fail, and may be tried again."""
        scope["route"] = ROUTE
        for declined in {"ok": (False,), "failed": (True,), "retried": (True, False)}.get(scope["does"], ()):
            try:
                complete(declined=declined)
            except DeclinedError:
                continue
        if scope["does"] == "broken":
            raise DeclinedError
        await send({**START, "status": 503} if scope["does"] == "unavailable" else START)
        await send(BODY)


async def _receive() -> Message:
    return {"type": "http.request"}


async def _send(message: Message) -> None:
    """Nobody is there."""


def finished(request: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        request.send(None)
    except (StopIteration, DeclinedError):
        return
    raise AssertionError("it waited")


def ask(app: SLOMiddleware, does: str) -> None:
    """One request."""
    finished(app({"type": "http", "method": "POST", "path": "/chat", "does": does}, _receive, _send))


def call(tracked: Callable[[], None]) -> None:
    """One call, whatever becomes of it."""
    try:
        tracked()
    except DeclinedError:
        return


def block(*, declined: bool) -> None:
    """One use of the block that all share."""
    with BLOCK as event:
        if declined:
            event.bad("declined")


WORK: dict[str, Callable[[SLOMiddleware], None]] = {
    "ai good": lambda app: ask(app, "plain"),
    "ai good with a call": lambda app: ask(app, "ok"),
    "ai good after a retry": lambda app: ask(app, "retried"),
    "ai bad by its call": lambda app: ask(app, "failed"),
    "ai bad by its status": lambda app: ask(app, "unavailable"),
    "ai bad by an exception": lambda app: ask(app, "broken"),
    "webhook good": lambda app: call(lambda: deliver(declined=False)),
    "webhook bad": lambda app: call(lambda: deliver(declined=True)),
    "refund good": lambda app: refund(wrong=False),
    "refund bad": lambda app: refund(wrong=True),
    "money good": lambda app: block(declined=False),
    "money bad": lambda app: block(declined=True),
    "exchange good": lambda app: slo_otel.count("exchange.done", 2, tenant="7"),
    "exchange bad": lambda app: slo_otel.count("exchange.failed", tenant="7"),
}
WEIGHT = {"exchange good": 2}


def expected(done: Counter[str], slo: str, verdict: str) -> int:
    """How many events of a verdict an SLO has after `done`."""
    return sum(n * WEIGHT.get(name, 1) for name, n in done.items() if name.startswith(f"{slo} {verdict}"))


def hammer(app: SLOMiddleware, kinds: Sequence[str], seed: int, done: Counter[str]) -> None:
    """One thread's work, in an order of its own."""
    source = random.Random(seed)
    for _ in range(ROUNDS):
        name = source.choice(kinds)
        WORK[name](app)
        done[name] += 1


def falls(before: Counter[object], now: Counter[object]) -> list[object]:
    """The series that count less than before."""
    return [key for key, count in before.items() if now[key] < count]


def watched(shop: World, threads: list[threading.Thread]) -> list[object]:
    """Look at the counts until the threads are done: the series that ever counted less than before."""
    seen: Counter[object] = Counter()
    fallen: list[object] = []
    while any(thread.is_alive() for thread in threads):
        now: Counter[object] = Counter({cell.key: cell.count for cell in shop.cells()})
        fallen += falls(seen, now)
        seen = now
    return fallen


@pytest.mark.soak
@pytest.mark.parametrize(
    "kinds", [tuple(WORK), tuple(name for name in WORK if name.startswith("money"))], ids=["all", "one block"]
)
def test_what_eight_threads_do_at_once_is_counted_exactly_with_its_verdicts(kinds: Sequence[str]) -> None:
    """Requests with calls in them, retries, failures, blocks and counts: none is lost, doubled or misjudged."""
    seeds = [random.randrange(2**32) for _ in range(THREADS)]
    print("seeds", seeds)
    app = SLOMiddleware(Chat())
    tallies: list[Counter[str]] = [Counter() for _ in seeds]
    with world() as shop:
        threads = [
            threading.Thread(target=hammer, args=(app, kinds, seed, done))
            for seed, done in zip(seeds, tallies, strict=True)
        ]
        for thread in threads:
            thread.start()
        fallen = watched(shop, threads)
        done = sum(tallies, Counter[str]())
        found = {slo: shop.verdicts(slo) for slo in ("ai", "webhook", "refund", "money", "exchange")}
    assert sum(done.values()) == THREADS * ROUNDS
    assert not fallen
    assert found == {slo: Verdicts(expected(done, slo, "good"), expected(done, slo, "bad")) for slo in found}


def asked_at_once() -> set[int]:
    """The identities of the events that eight threads of one request get."""
    start = threading.Barrier(THREADS)
    found: list[slo_otel.Event] = []

    def ask_for_it() -> None:
        start.wait()
        found.append(slo_otel.current_event())

    threads = [threading.Thread(target=copy_context().run, args=(ask_for_it,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {id(event) for event in found}


@pytest.mark.soak
def test_threads_that_ask_for_a_requests_event_at_once_get_the_same_one() -> None:
    """The event is made when somebody asks first; what threads then say is said of one event."""
    found: list[set[int]] = []

    async def crowd(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(asked_at_once())
        await send(START)
        await send(BODY)

    with world():
        for _ in range(scaled(100, 3_000)):
            finished(SLOMiddleware(crowd)({"type": "http", "method": "GET", "path": "/"}, _receive, _send))
    assert {len(events) for events in found} == {1}
