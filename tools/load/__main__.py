"""Load on gunicorn and uvicorn, for minutes, while workers and the Collector come and go.

    cd tools; ../.venv/bin/python -m load --minutes 20 [--seed N]

Each worker ends after 200 requests, and the Collector is stopped by SIGTERM and started again at random. At the
end, the sum of what the Collector was told last by each process, and of what ending workers logged as unsent, must
be what the clients counted; and the memory of the last third must be that of the second. Ends with 1 and says what
is not so.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from collector import binary

from load.client import BAD, GOOD, UNANSWERED, Clients
from load.collector import Collector, free_port, wait_for
from load.memory import Memory
from load.reckoning import told

SERVICES: Final = Path(__file__).resolve().parent / "services"
RECYCLED_AFTER: Final = 200
RATE: Final = 40.0
"""Requests a second of one server: each 200 of them cost the start of a worker."""
MOST_GROWTH: Final = 5.0
_STOP_WITHIN: Final = 60.0
_SAID_EVERY: Final = 20.0


def _uvicorn(port: int) -> list[str]:
    options = ["--workers", "2", "--limit-max-requests", str(RECYCLED_AFTER), "--log-level", "warning"]
    return ["-m", "uvicorn", "asgi_app:app", "--port", str(port), *options]


def _gunicorn(port: int) -> list[str]:
    options = ["--workers", "2", "--max-requests", str(RECYCLED_AFTER), "--log-level", "warning"]
    return ["-m", "gunicorn", "wsgi_app:app", "--bind", f"127.0.0.1:{port}", *options]


@dataclass
class Served:
    """A server under load."""

    name: str
    child: subprocess.Popen[bytes]
    clients: Clients
    memory: Memory
    log: Path
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """How far it is."""
        return f"{self.name}: {self.clients.counts().total():,} requests, {self.memory.workers} workers"


def _serve(name: str, command: list[str], port: int, collector: Collector, directory: Path, seed: str) -> Served:
    environment = os.environ | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_RESOURCE_ATTRIBUTES": f"load.server={name}",
        "PYTHONPATH": str(SERVICES),
    }
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=output, stderr=output, start_new_session=True
        )
    wait_for(port, child)
    return Served(name, child, Clients(port, RATE, f"{seed} {name}"), Memory(child.pid), log)


def _end(served: Served) -> None:
    """SIGTERM to the supervisor, as a deploy does; what does not end within a minute is killed, and a failure."""
    served.child.terminate()
    try:
        served.child.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        served.child.kill()
        served.problems.append("did not end within a minute of SIGTERM")


def _abandon(served: Served) -> None:
    """Leave nothing behind, whatever went wrong: the session of the server is its supervisor's and its workers'."""
    served.clients.stop()
    served.memory.stop()
    with suppress(ProcessLookupError):
        os.killpg(served.child.pid, signal.SIGKILL)


def _judge(served: Served, collector: Collector) -> None:
    seen, found = served.clients.counts(), told(collector.files, served.log, served.name)
    memory = served.memory.thirds()
    print(f"{served.name}: {dict(seen)} seen; {dict(found.counts)} told by {found.instances} instances,")
    print(f"  {found.unsent} logged as unsent; supervisor {_mb(memory.supervisor)}, worker {_mb(memory.worker)}")
    answered = seen[GOOD] + seen[BAD]
    # A client whose connection broke cannot know whether its request was served: each may be an event or none.
    if not answered <= found.total() <= answered + seen[UNANSWERED]:
        served.problems.append(f"{answered:,} answers, but {found.total():,} events told or logged as unsent")
    if strange := {status: count for status, count in seen.items() if status not in (GOOD, BAD, UNANSWERED)}:
        served.problems.append(f"strange answers: {strange}")
    if memory.growth() >= MOST_GROWTH:
        served.problems.append(f"grew by {memory.growth():.1f} MB from the second third to the last")


def _mb(thirds: tuple[float, float, float]) -> str:
    return " → ".join(f"{each:.1f}" for each in thirds) + " MB"


def _watch(servers: list[Served], collector: Collector, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(_SAID_EVERY, left))
        said = "; ".join(served.line() for served in servers)
        print(f"{said}; {collector.lives} Collectors; {max(left - _SAID_EVERY, 0):.0f} s left", flush=True)


def _run(seconds: float, executable: Path, directory: Path, seed: str) -> list[Served]:
    collector = Collector(executable, directory, seed)
    with ExitStack() as stack:
        collector.start()
        stack.callback(collector.stop)
        servers = []
        for name, command in (("uvicorn", _uvicorn), ("gunicorn", _gunicorn)):
            port = free_port()
            servers.append(_serve(name, command(port), port, collector, directory, seed))
            stack.callback(_abandon, servers[-1])
        for served in servers:
            served.clients.start()
        _watch(servers, collector, seconds)
        for served in servers:
            served.clients.stop()
            served.memory.stop()
            _end(served)
        collector.stop()
        for served in servers:
            _judge(served, collector)
    return servers


def main() -> int:
    """0 when every event was told once and no memory grew."""
    parser = argparse.ArgumentParser(prog="load")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", default=f"{secrets.randbits(32)}")
    given = parser.parse_args()
    print(f"{given.minutes:g} minutes, seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        servers = _run(given.minutes * 60, binary(), Path(name), given.seed)
        broken = [f"{served.name}: {problem}" for served in servers for problem in served.problems]
        if broken:
            print("\n".join(broken), file=sys.stderr)
            for served in servers:
                print(served.log.read_text(encoding="utf-8", errors="replace")[-4000:], file=sys.stderr)
        else:
            print("every answered request was told once; memory held")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
