"""A Collector that is down, hangs, refuses, or answers an error costs a service nothing, and no count."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import grpc
import pytest

from slo_otel import names
from tests.export.added import Added, Series
from tests.patience import reserved
from tests.stress import faulty, faulty_grpc, scaled
from tests.stress.faulty import Behaviour, Faulty, says
from tests.stress.faulty_grpc import Answering, GrpcCollector, fails

FAILURES: Mapping[str, int] = {"http/protobuf": scaled(60, 300), "grpc": scaled(18, 150)}
"""How often each fails: HTTP is the default, and gRPC differs in what sends."""
DEADLINE = 0.2
SLACK = 0.2
TRIES = 3
"""Others' work makes one run late, a fault of ours each."""
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

ENOUGH = 50
"""Windows whose first decile says anything: the brief form over gRPC has fewer, and judges no latencies."""
POOL: Mapping[str, int] = {"http/protobuf": 0, "grpc": 4}
"""gRPC's core has a pool of threads, which grows when a machine is busy and shrinks afterwards."""
Outage: TypeAlias = Callable[[int], AbstractContextManager[object]]
"""A Collector that fails on a port."""


def _http(behave: Behaviour) -> Outage:
    return lambda port: Faulty(behave, port)


def _grpc(behave: Answering) -> Outage:
    return lambda port: GrpcCollector(behave, port)


OUTAGES: Mapping[str, Mapping[str, Outage]] = {
    "http/protobuf": {
        "down": lambda _: nullcontext(),
        "hanging": _http(faulty.hangs),
        "refusing": _http(faulty.resets),
        "503": _http(says("503 Service Unavailable")),
        "400": _http(says("400 Bad Request")),
    },
    "grpc": {
        "down": lambda _: nullcontext(),
        "hanging": _grpc(faulty_grpc.hangs),
        "refusing": _http(faulty.resets),
        "UNAVAILABLE": _grpc(fails(grpc.StatusCode.UNAVAILABLE)),
        "INVALID_ARGUMENT": _grpc(fails(grpc.StatusCode.INVALID_ARGUMENT)),
    },
}
"""How the Collector fails."""


class Service:
    """`outage_service` in a process of its own."""

    def __init__(self, policy: Path, port: int, protocol: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.stress.outage_service", str(policy), str(FAILURES[protocol])],
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
                "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
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
        self.process.communicate(timeout=60)

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
    pool: int
    """By how many the native threads of what sends come and go."""
    windows: int
    """How many windows with a flush there were."""

    def faults(self) -> list[str]:
        """Everything that is not as promised."""
        before, after, cost = self.cost["before"], self.cost["after"], self.cost
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        promised = {
            "no request failed": cost["failed"] == 0,
            "no flush said that it arrived": cost["arrived"] == 0,
            "RSS": after["rss"] - before["rss"] < 2 * MB,
            "file descriptors": after["fds"] <= before["fds"],
            "native threads": after["tasks"] <= before["tasks"] + self.pool,
            "threads": after["threads"] <= before["threads"],
            "every request arrived": self.answered == self.good == self.timed,
            "shutdown said that it failed": self.end["sent"] is False,
        }
        return [what for what, held in promised.items() if not held]

    def late(self) -> list[str]:
        """What took longer than promised."""
        cost = self.cost
        promised = {
            "flush kept its deadline": _number(cost["longest"]) < DEADLINE + SLACK,
            "shutdown kept its deadline": _number(self.end["shutdown"]) < DEADLINE + SLACK,
            "p99 within 1 ms": self.windows < ENOUGH or _number(cost["failing"]) - _number(cost["calm"]) < 0.001,
        }
        return [what for what, held in promised.items() if not held]


def _number(value: object) -> float:
    assert isinstance(value, float | int)
    return float(value)


def _good(counts: Mapping[Series, int], name: str, slo: str, verdict: str) -> int:
    return sum(
        count
        for (metric, told), count in counts.items()
        if metric == name and {("slo.name", slo), ("slo.verdict", verdict)} <= set(told)
    )


@contextmanager
def _answering(protocol: str, port: int, added: Added) -> Iterator[None]:
    """A Collector in good health, and what it adds up."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        added.take(collector.bodies[-1])
        says("200 OK")(connection, over)

    with ExitStack() as stack:
        if protocol == "grpc":
            stack.enter_context(GrpcCollector(port=port, take=added.take))
        else:
            collector = stack.enter_context(Faulty(behave, port))
        yield


def _suffered(protocol: str, failing: Outage, folder: Path) -> Seen:
    added = Added()
    with ExitStack() as stack:
        port = stack.enter_context(reserved())
        outage = stack.enter_context(ExitStack())
        outage.enter_context(failing(port))
        service = stack.enter_context(Service(folder / "slo.yaml", port, protocol))
        cost = service.says()
        outage.close()
        with _answering(protocol, port, added):
            service.go_on()
            answered = service.says()["answered"]
        with failing(port):
            service.go_on()
            end = service.says()
    assert isinstance(answered, int)
    counts = added.counts()
    good = _good(counts, names.EVENTS, "answered", "good")
    timed = _good(counts, names.DURATION, "fast", "valid")
    return Seen(cost, answered, good, timed, end, POOL[protocol], FAILURES[protocol])


def _all_at_once(protocol: str, folder: Path) -> dict[str, Seen]:
    outages = OUTAGES[protocol]
    with ThreadPoolExecutor(len(outages)) as pool:
        found = pool.map(lambda failing: _suffered(protocol, failing, folder), outages.values())
        seen = dict(zip(outages, found, strict=True))
    print(json.dumps({how: found.cost | found.end for how, found in seen.items()}, indent=1))
    return seen


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("protocol", OUTAGES)
def test_a_collector_that_fails_costs_nothing_and_loses_nothing(tmp_path: Path, protocol: str) -> None:
    """Five ways to fail at once, a service for each: cost, every count later, and deadlines in a run of three."""
    (tmp_path / "slo.yaml").write_text(POLICY)
    late: dict[str, list[str]] = {}
    for _ in range(TRIES):
        seen = _all_at_once(protocol, tmp_path)
        assert {how: found.faults() for how, found in seen.items()} == {how: [] for how in OUTAGES[protocol]}
        assert all(found.answered > FAILURES[protocol] for found in seen.values())
        late = {how: what for how, found in seen.items() if (what := found.late())}
        if not late:
            break
    assert late == {}
