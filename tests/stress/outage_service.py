"""A FastAPI service under steady load whose Collector fails again and again; it says what that cost.

    python -m tests.stress.outage_service POLICY FAILURES

Every failure is one flush with 0.2 s to live. Windows with a flush alternate with windows without, in the same
process, so that whatever else the machine does falls on both. Prints one JSON object when the failures are over,
waits for a line, flushes until it arrives, prints how many requests it answered, waits for a line, answers one more
request, shuts down, and prints how that went.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import statistics
import sys
import threading
import time
from array import array
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Final

from fastapi import FastAPI

import slo_otel
from slo_otel.instrumentation import ASGIApp, Message, Scope

DEADLINE: Final = 0.2
WINDOW: Final = 0.1
"""Seconds of a window at least; one with a flush, and the one after it, last as long as the flush."""
PAUSE: Final = 0.004
"""Seconds between two requests."""


_BIN: Final = 1e-5
_BINS: Final = 100_000
"""Latencies are pooled in bins of 10 µs up to a second, so that memory does not grow with the failures."""


class Pool:
    """Latencies of many windows, in memory that is there from the start."""

    def __init__(self) -> None:
        self._counts = array("L", [1] * _BINS)  # ones, so that every page is there

    def add(self, latencies: list[float]) -> None:
        """Take those of a window."""
        for latency in latencies:
            self._counts[min(int(latency / _BIN), _BINS - 1)] += 1

    def p99(self) -> float:
        """The 99th percentile, in seconds, to 10 µs."""
        counts = [count - 1 for count in self._counts]
        least = math.ceil(sum(counts) * 0.99)
        return _BIN * next(at for at, seen in enumerate(accumulate(counts)) if seen >= least)


class Load:
    """Requests, one after another, and their latencies by window."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.answered = 0
        self.failed = 0
        self.latencies: list[float] = []
        """Seconds, of the window that goes on."""
        self.stall = 0.0
        """The most by which a pause of the window was too long: what the machine takes from everybody."""
        self.running = True

    async def run(self) -> None:
        """Send requests until told to end. One is late from the moment on when it was due, not when it began."""
        while self.running:
            due = time.perf_counter() + PAUSE
            await asyncio.sleep(PAUSE)
            self.stall = max(self.stall, time.perf_counter() - due)
            await self._one()
            self.latencies.append(time.perf_counter() - due)

    async def _one(self) -> None:
        statuses: list[int] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self._app(_scope(self.answered), _receive, send)
        self.answered += 1
        self.failed += statuses != [200]

    def window(self, pool: Pool) -> float:
        """End a window: the 99th percentile of its latencies, which go into the pool."""
        found, self.latencies, self.stall = sorted(self.latencies), [], 0.0
        pool.add(found)
        return found[int(len(found) * 0.99)] if found else 0.0


def _scope(at: int) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"/orders/{at % 50}",
        "raw_path": b"/orders",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"shop")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _size() -> dict[str, int]:
    """Resident memory in bytes, open file descriptors, native threads, and threads of Python."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss": pages * os.sysconf("SC_PAGE_SIZE"),
        "fds": len(list(Path("/proc/self/fd").iterdir())),
        "tasks": len(list(Path("/proc/self/task").iterdir())),
        "threads": threading.active_count(),
    }


async def _settled(before: Mapping[str, int]) -> dict[str, int]:
    """The size, once what was given up has ended: on a busy machine that takes a moment, a leak never does."""
    deadline = time.monotonic() + 5
    while True:
        found = _size()
        if all(found[each] <= before[each] for each in ("fds", "tasks", "threads")) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.1)


class Outage:
    """Failures, and what is seen of them."""

    def __init__(self, handle: slo_otel.Handle, load: Load, pool: ThreadPoolExecutor) -> None:
        self._handle = handle
        self._load = load
        self._pool = pool
        self.calm: list[float] = []
        self.failing: list[float] = []
        self.pooled = {"calm": Pool(), "failing": Pool()}
        self.longest = 0.0
        """Seconds of the longest flush, without those for which the whole process stood still."""
        self.arrived = 0

    async def fail(self, times: int) -> None:
        """So many pairs of a window with a flush and one as long without: more requests, a later latest one."""
        for _ in range(times):
            began = time.perf_counter()
            self.arrived += await self.flush(DEADLINE)
            took = time.perf_counter() - began
            self.longest = max(self.longest, took - self._load.stall)
            await asyncio.sleep(max(WINDOW - took, 0.0))
            self.failing.append(self._load.window(self.pooled["failing"]))
            await asyncio.sleep(max(WINDOW, took))
            self.calm.append(self._load.window(self.pooled["calm"]))

    async def flush(self, seconds: float) -> bool:
        """One flush, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._handle.flush, seconds)

    def report(self) -> dict[str, float | int]:
        """The 99th percentile of all windows of a kind together, and of each: their median, and their first decile,
        which others' work spares. What a flush does to requests it does in every window that has one, so it is in
        the decile as well.
        """
        return {
            "calm pooled": self.pooled["calm"].p99(),
            "failing pooled": self.pooled["failing"].p99(),
            "calm median": statistics.median(self.calm),
            "failing median": statistics.median(self.failing),
            "calm": statistics.quantiles(self.calm, n=10)[0],
            "failing": statistics.quantiles(self.failing, n=10)[0],
            "longest": self.longest,
            "arrived": self.arrived,
        }


async def _serve(policy: str, failures: int) -> None:
    app = FastAPI()

    @app.get("/orders/{number}")
    async def order(number: int) -> dict[str, int]:
        return {"number": number}

    handle = slo_otel.configure(policy)
    handle.instrument(app)
    load = Load(app)
    with ThreadPoolExecutor(1) as pool:
        outage = Outage(handle, load, pool)
        running = asyncio.create_task(load.run())
        await outage.fail(failures // 6)
        before = _size()
        await outage.fail(failures - failures // 6)
        after = await _settled(before)
        load.running = False
        await running
        _say({"before": before, "after": after, "failed": load.failed, **outage.report()})
        await _recover(outage, load)
        await load._one()
        began = time.perf_counter()
        sent = handle.shutdown(DEADLINE)
        _say({"shutdown": time.perf_counter() - began, "sent": sent})


async def _recover(outage: Outage, load: Load) -> None:
    sys.stdin.readline()
    tries = 0
    while not await outage.flush(2.0):
        tries += 1
        if tries > 20:
            break
    _say({"answered": load.answered, "tries": tries})
    sys.stdin.readline()


def _say(told: Mapping[str, object]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
