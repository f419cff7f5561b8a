"""A real Collector and a real service, as processes on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.e2e.collected import Counts, Series, counts_of_file, counts_of_page, series_of
from tests.patience import reserved

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SHOP = HERE / "shop"
WITHIN = 60.0
STATUS = {"good": 200, "bad": 503, "excluded": 409}


_RESERVED: Final = contextlib.ExitStack()


def free_port() -> int:
    """A port of loopback that nothing listens on and nobody else gets until the tests have ended."""
    return _RESERVED.enter_context(reserved())


def eventually(said: Callable[[], object], wanted: object) -> None:
    """Ask until the answer is `wanted`; after a while fail with the last answer."""
    end = time.monotonic() + WITHIN
    while (answer := said()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert answer == wanted


@contextlib.contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child that is ended by SIGTERM, and by force when that does not help."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, env=os.environ | environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield child
        finally:
            end(child)


def end(child: subprocess.Popen[bytes]) -> int:
    """SIGTERM, wait, and the exit code."""
    if child.poll() is None:
        child.terminate()
    try:
        return child.wait(60)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def binary() -> Path:
    """The Collector that `make e2e` built; its absence is a failure, told in a line."""
    asked = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "collector.py")], check=False, capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr.strip()
    return ROOT / asked.stdout.splitlines()[-1]


@dataclass(frozen=True, slots=True)
class Collector:
    """Where a Collector listens and writes. `running` starts it; it may be started later than its users."""

    directory: Path
    otlp: int
    prometheus: int
    grpc: int

    @classmethod
    def planned(cls, directory: Path) -> Collector:
        """Free ports and a directory, nothing started."""
        return cls(directory, free_port(), free_port(), free_port())

    @property
    def endpoint(self) -> str:
        """For `OTEL_EXPORTER_OTLP_ENDPOINT` over HTTP."""
        return f"http://127.0.0.1:{self.otlp}"

    @property
    def grpc_endpoint(self) -> str:
        """The same over gRPC."""
        return f"http://127.0.0.1:{self.grpc}"

    @contextlib.contextmanager
    def running(self, config: str = "config.yaml", **more: str) -> Iterator[None]:
        """A Collector that answers on its ports; `more` is what another configuration reads."""
        environment = more | {
            "OTLP_PORT": str(self.otlp),
            "OTLP_GRPC_PORT": str(self.grpc),
            "PROMETHEUS_PORT": str(self.prometheus),
            "OUT_FILE": str(self.directory / "metrics.json"),
        }
        command = [str(binary()), "--config", str(HERE / "collector" / config)]
        with process(command, environment, self.directory / "collector.log") as child:
            eventually(lambda: child.poll() is None and all(map(listens, self._ports)), True)
            yield

    @property
    def _ports(self) -> tuple[int, ...]:
        return self.otlp, self.grpc, self.prometheus

    def page(self) -> list[Series]:
        """Every series of the Prometheus page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.prometheus}/metrics", timeout=30) as answer:
            return list(series_of(answer.read().decode()))

    def on_page(self) -> Counts:
        """`slo_events_total` of the page, summed over the processes."""
        return counts_of_page(self.page())

    def in_file(self) -> Counts:
        """`slo.events` of the file exporter, summed over the processes."""
        return counts_of_file(self.directory / "metrics.json")


def listens(port: int) -> bool:
    """Whether something accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True)
class Shop:
    """The service under uvicorn."""

    child: subprocess.Popen[bytes]
    port: int

    def checkout(self, ends: str) -> tuple[int, float]:
        """One request on a connection of its own: its status, and the seconds it took."""
        url = f"http://127.0.0.1:{self.port}/checkout?ends={ends}"
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as answer:
                status = answer.status
        except urllib.error.HTTPError as refused:
            status = refused.code
            refused.close()
        return status, time.perf_counter() - began


@contextlib.contextmanager
def shop(endpoint: str, directory: Path, *options: str, interval_ms: int = 500) -> Iterator[Shop]:
    """The shop on uvicorn, answering."""
    port = free_port()
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_METRIC_EXPORT_INTERVAL": str(interval_ms)}
    environment["UVICORN_TIMEOUT_WORKER_HEALTHCHECK"] = "60"  # its supervisor kills a worker that begins slowly
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "shop_app:app",
        "--app-dir",
        str(SHOP),
        "--port",
        str(port),
        *options,
    ]
    with process(command, environment, directory / "shop.log") as child:
        eventually(lambda: child.poll() is None and listens(port), True)
        yield Shop(child, port)
