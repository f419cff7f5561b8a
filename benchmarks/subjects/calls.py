"""What a decorator adds to a call: ours, autometrics over its two trackers, closures written by hand.

Nanoseconds over the same call undecorated, folds included. The async calls do not suspend.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Coroutine

from benchmarks.measure import Effort, Samples, Work, cpu_ns, interleaved, named, over, warmed
from benchmarks.ours import running
from benchmarks.peers import autometrics, otel_sdk, prometheus
from slo_otel.instrumentation import track

CALLS = 20_000
PEER_CALLS = 2_000
PLAIN = "plain"
Sync = Callable[[float, int], float]
Async = Callable[[float, int], Awaitable[float]]


def plain(value: float, power: int) -> float:
    """The work that is timed."""
    return value


async def plain_async(value: float, power: int) -> float:
    """The same, async."""
    return value


def by_hand(observe: Callable[[float], None]) -> Sync:
    """The closure one would write: no outcome, no exception, a duration."""

    @functools.wraps(plain)
    def timed(value: float, power: int) -> float:
        start = time.perf_counter()
        result = plain(value, power)
        observe(time.perf_counter() - start)
        return result

    return timed


def of_sync(call: Sync, calls: int, use: Callable[[], None] = lambda: None) -> Work:
    """Calls in a loop; `use` puts a peer's tracker in place first, unmeasured."""

    def batch() -> None:
        for _ in range(calls):
            call(1.5, 2)

    timed = cpu_ns(batch, calls)

    def work() -> float:
        use()
        return timed()

    return work


def of_async(call: Async, calls: int, use: Callable[[], None] = lambda: None) -> Work:
    """Awaits in a coroutine that never suspends, so that no event loop is measured."""

    async def batch() -> None:
        for _ in range(calls):
            await call(1.5, 2)

    timed = cpu_ns(lambda: _run(batch()), calls)

    def work() -> float:
        use()
        return timed()

    return work


def _run(coroutine: Coroutine[object, None, None]) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("the coroutine suspended")


def sync_works(trackers: tuple[autometrics.Use, autometrics.Use]) -> dict[str, Work]:
    """Every sync variant."""
    prometheus_tracker, otel_tracker = trackers
    watched = autometrics.decorated(plain)
    return {
        PLAIN: of_sync(plain, CALLS),
        "sync": of_sync(track("ai_call")(plain), CALLS),
        "sync autometrics prometheus": of_sync(watched, PEER_CALLS, prometheus_tracker),
        "sync autometrics otel": of_sync(watched, PEER_CALLS, otel_tracker),
        "sync closure otel": of_sync(by_hand(otel_sdk.record()), PEER_CALLS),
        "sync closure prometheus": of_sync(by_hand(prometheus.bound()), PEER_CALLS),
    }


def async_works(trackers: tuple[autometrics.Use, autometrics.Use]) -> dict[str, Work]:
    """Every async variant."""
    prometheus_tracker, otel_tracker = trackers
    watched = autometrics.decorated(plain_async)
    return {
        PLAIN: of_async(plain_async, CALLS),
        "async": of_async(track("ai_call")(plain_async), CALLS),
        "async autometrics prometheus": of_async(watched, PEER_CALLS, prometheus_tracker),
        "async autometrics otel": of_async(watched, PEER_CALLS, otel_tracker),
    }


def measure(effort: Effort) -> Samples:
    """`calls.*`, nanoseconds a call."""
    trackers = autometrics.initialised()
    samples: Samples = {}
    with running() as tick:
        for works in (sync_works(trackers), async_works(trackers)):
            warmed(works, 5, tick)
            samples |= over(interleaved(works, effort.rounds, tick), PLAIN)
    return named("calls", samples)
