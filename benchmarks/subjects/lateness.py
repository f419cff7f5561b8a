"""How late an event loop's timers are while series are exported from another thread, twice a second.

Each round has four phases in turn: without export, with 1,000 and 10,000 series of ours, with 1,000 of the SDK's.
The p99.9 of a phase's timers is compared with that of the phase without export in the same round, in milliseconds.
Garbage is collected as ever.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from benchmarks import exporting
from benchmarks.measure import Effort, Samples, Work, interleaved, over, percentile
from benchmarks.subjects.record import VALUES
from slo_otel.export import ThreadLane

TIMER = 0.001
EVERY = 0.5
FULL_SECONDS = 5.0
QUICK_SECONDS = 1.5


async def lateness(seconds: float) -> list[float]:
    """Milliseconds by which each timer of a loop that does nothing else was late."""
    end = time.perf_counter() + seconds
    late = []
    while (began := time.perf_counter()) < end:
        await asyncio.sleep(TIMER)
        late.append((time.perf_counter() - began - TIMER) * 1e3)
    return late


def phase(seconds: float, export: Callable[[], None] | None) -> Work:
    """The p99.9 of one phase."""

    def work() -> float:
        stopping = threading.Event()
        thread = threading.Thread(target=_exporting, args=(stopping, export or (lambda: None)))
        thread.start()
        try:
            return percentile(asyncio.run(lateness(seconds)), 99.9)
        finally:
            stopping.set()
            thread.join()

    return work


def _exporting(stopping: threading.Event, export: Callable[[], None]) -> None:
    while not stopping.wait(EVERY):
        export()


def measure(effort: Effort) -> Samples:
    """`lateness.*`: `without` is the loop's own p99.9, the others are what they add to it."""
    seconds = QUICK_SECONDS if effort.quick else FULL_SECONDS
    values = VALUES[:50]
    with (
        exporting.receiver() as endpoint,
        exporting.ours(endpoint, ThreadLane(), values) as ours,
        exporting.ours(endpoint, ThreadLane(), values, exporting.MANY) as many,
        exporting.sdk(endpoint, values) as sdk,
    ):
        exports = {"without": None, "ours": ours, "10k": many, "otel sdk": sdk}
        works = {name: phase(seconds, export) for name, export in exports.items()}
        found = interleaved(works, effort.rounds, collecting=True)
    added = over(found, "without")
    return {"lateness.without": found["without"]} | {f"lateness.{name}": values for name, values in added.items()}
