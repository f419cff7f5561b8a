"""FastAPI on uvicorn, uvloop and httptools under wrk: throughput lost and CPU time a request, over the bare one.

A set is one fresh process of each variant; their turns under load rotate, and each is compared with the bare
server's turn of the same round. A set gives the median of its rounds, the row is the median of the sets: memory
layout alone makes one process faster or slower by about 2 %, so one set says little. The peers are in some sets.
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import lifetime, wrk
from benchmarks.apps import BARE, OURS
from benchmarks.measure import Effort, Samples

PEERS = (
    "prometheus-fastapi-instrumentator",
    "fastapi metrics",
    "otel-asgi metrics",
    "otel-asgi metrics+traces",
)
PEERS_EVERY = 3
ROUNDS = 3
SECONDS = 1.0
START_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One variant's turn under load."""

    rate: float
    """Requests a second."""
    cpu_us: float
    """CPU time of the server's process for each request."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server process of one variant."""

    process: subprocess.Popen[str]
    url: str

    def cpu_s(self) -> float:
        """User and system time of the process with all its threads: Linux' clock of another process."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def under(self, program: str, core: int | None) -> Turn:
        """A turn of one second."""
        before = self.cpu_s()
        load = wrk.load(program, self.url, SECONDS, core)
        return Turn(load.rate, (self.cpu_s() - before) / load.requests * 1e6)


def cores() -> tuple[int, int | None]:
    """One for the server and another one for wrk; -1 and None where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (-1, None)


@contextlib.contextmanager
def serving(variant: str, core: int) -> Iterator[Server]:
    """A fresh process, ended at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with lifetime.child("benchmarks.server", variant, str(port), str(core)) as process:
        yield Server(process, f"http://127.0.0.1:{port}/items/7")


def await_answer(server: Server) -> None:
    """Until it answers. Raises when it died or takes too long."""
    end = time.monotonic() + START_WITHIN
    while time.monotonic() < end and server.process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(server.url, timeout=5):  # noqa: S310 - loopback
            return
        time.sleep(0.05)
    raise RuntimeError(f"a server did not start: {server.process.args!r}")


def rounds_of(names: tuple[str, ...], *, quick: bool) -> dict[str, list[Turn]]:
    """One set: fresh processes of these variants, warmed, then rounds in rotating order."""
    program, (server_core, wrk_core) = wrk.ensure(), cores()
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(serving(name, server_core)) for name in names}
        for server in servers.values():
            await_answer(server)
            if not quick:
                server.under(program, wrk_core)  # warms caches and adaptive bytecode
        turns: dict[str, list[Turn]] = {name: [] for name in names}
        for number in range(1 if quick else ROUNDS):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                turns[name].append(servers[name].under(program, wrk_core))
    return turns


def noted(samples: Samples, turns: dict[str, list[Turn]]) -> None:
    """Add what one set says."""
    bare = turns.pop(BARE)
    samples.setdefault("served.bare cpu", []).append(statistics.median(turn.cpu_us for turn in bare))
    samples.setdefault("served.bare rate", []).append(statistics.median(turn.rate for turn in bare))
    for name, own in turns.items():
        pairs = list(zip(own, bare, strict=True))
        lost = statistics.median(100 * (1 - turn.rate / without.rate) for turn, without in pairs)
        added = statistics.median(turn.cpu_us - without.cpu_us for turn, without in pairs)
        samples.setdefault(f"served.{name} lost", []).append(lost)
        samples.setdefault(f"served.{name} cpu", []).append(added)


def measure(effort: Effort) -> Samples:
    """`served.* lost` in percent of throughput, `served.* cpu` in microseconds a request; one value a set."""
    samples: Samples = {}
    for number in range(effort.rounds):
        with_peers = number % PEERS_EVERY == 0
        names = (BARE, OURS, *(PEERS if with_peers else ()))
        noted(samples, rounds_of(names[number % 2 :] + names[: number % 2], quick=effort.quick))
    return samples
