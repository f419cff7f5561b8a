"""A Collector that is down, hangs, refuses, or answers 503 or 400 costs a service nothing, and no count."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pytest

from slo_otel import names
from slo_otel.receive import Receiver
from tests.stress import faulty, scaled
from tests.stress.faulty import Behaviour, Faulty, says

FAILURES = scaled(60, 300)
DEADLINE = 0.2
SLACK = 0.2
MB = 1_000_000
POLICY = """\
version: slo/v1
service: shop
step: 1s
slos:
  - name: answered
    sli: {success: http}
    objective: 99%
    window: 1h
  - name: fast
    sli: {latency: http}
    objective: p95 < 400ms
    window: 1h
"""

OUTAGES: Mapping[str, Behaviour | None] = {
    "down": None,
    "hanging": faulty.hangs,
    "refusing": faulty.resets,
    "503": says("503 Service Unavailable"),
    "400": says("400 Bad Request"),
}
"""How the Collector fails; None is nobody on the port."""


class Service:
    """`outage_service` in a process of its own."""

    def __init__(self, policy: Path, port: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.stress.outage_service", str(policy), str(FAILURES)],
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
                "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=10)

    def says(self) -> dict[str, object]:
        """What it prints next."""
        assert self.process.stdout is not None
        found = json.loads(self.process.stdout.readline())
        assert isinstance(found, dict)
        return found

    def go_on(self) -> None:
        """Let it do what comes next."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@dataclass(frozen=True, slots=True)
class Seen:
    """What an outage cost, what arrived when it was over, and how the shutdown of the next one went."""

    cost: dict[str, object]
    answered: int
    good: int
    timed: int
    end: dict[str, object]

    def faults(self) -> list[str]:
        """Everything that is not as promised."""
        before, after, cost = self.cost["before"], self.cost["after"], self.cost
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        promised = {
            "no request failed": cost["failed"] == 0,
            "no flush said that it arrived": cost["arrived"] == 0,
            "flush kept its deadline": _number(cost["longest"]) < DEADLINE + SLACK,
            "p99 within 1 ms": _number(cost["failing"]) - _number(cost["calm"]) < 0.001,
            "RSS": after["rss"] - before["rss"] < 2 * MB,
            "file descriptors": after["fds"] <= before["fds"],
            "native threads": after["tasks"] <= before["tasks"],
            "threads": after["threads"] <= before["threads"],
            "every request arrived": self.answered == self.good == self.timed,
            "shutdown kept its deadline": _number(self.end["shutdown"]) < DEADLINE + SLACK,
            "shutdown said that it failed": self.end["sent"] is False,
        }
        return [what for what, held in promised.items() if not held]


def _number(value: object) -> float:
    assert isinstance(value, float | int)
    return float(value)


@contextmanager
def _reserved() -> Iterator[int]:
    """A port on which nobody listens and that nobody else gets: bound, so that only those who reuse it can."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@contextmanager
def _failing(behave: Behaviour | None, port: int) -> Iterator[None]:
    """The Collector's outage on a port that is ours."""
    if behave is None:
        yield
        return
    with Faulty(behave, port):
        yield


def _suffered(behave: Behaviour | None, folder: Path) -> Seen:
    with ExitStack() as stack:
        port = stack.enter_context(_reserved())
        outage = stack.enter_context(ExitStack())
        outage.enter_context(_failing(behave, port))
        service = stack.enter_context(Service(folder / "slo.yaml", port))
        cost = service.says()
        outage.close()
        with Receiver(port) as receiver:
            service.go_on()
            answered = service.says()["answered"]
            good = receiver.counter(names.EVENTS, slo_name="answered", slo_verdict="good")
            timed = receiver.counter(names.DURATION, slo_name="fast", slo_verdict="valid")
        with _failing(behave, port):
            service.go_on()
            end = service.says()
    assert isinstance(answered, int)
    return Seen(cost, answered, good, timed, end)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_collector_that_fails_costs_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """Five ways to fail at the same time, a service for each: cost, deadlines, and every count later."""
    (tmp_path / "slo.yaml").write_text(POLICY)
    with ThreadPoolExecutor(len(OUTAGES)) as pool:
        seen = dict(zip(OUTAGES, pool.map(lambda how: _suffered(how, tmp_path), OUTAGES.values()), strict=True))
    print(json.dumps({how: found.cost | found.end for how, found in seen.items()}, indent=1))
    assert {how: found.faults() for how, found in seen.items()} == {how: [] for how in OUTAGES}
    assert all(found.answered > FAILURES for found in seen.values())
