"""A real Collector that is stopped by SIGTERM and started again at random; each life writes a file of its own."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CONFIG: Final = ROOT / "tests" / "e2e" / "collector" / "config.yaml"
_UP: Final = (3.0, 12.0)
_DOWN: Final = (1.0, 6.0)
_WITHIN: Final = 60.0


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Collector:
    """One endpoint, many lives."""

    def __init__(self, binary: Path, directory: Path, seed: str) -> None:
        self._binary = binary
        self._directory = directory
        self._chance = random.Random(seed)  # noqa: S311 - when to come and go
        self._ports = [free_port() for _ in range(4)]
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._come_and_go)
        self.lives = 0

    @property
    def endpoint(self) -> str:
        """For `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def files(self) -> list[Path]:
        """What each life wrote, in order."""
        return [self._directory / f"metrics-{life}.json" for life in range(1, self.lives + 1)]

    def start(self) -> None:
        """Up, then down and up again at random."""
        self._up()
        self._thread.start()

    def settle(self) -> None:
        """Up for good."""
        self._stopping.set()
        self._thread.join()
        if self._child is None:
            self._up()

    def stop(self) -> None:
        """Down for good."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._down()

    def _come_and_go(self) -> None:
        while not self._stopping.wait(self._chance.uniform(*_UP)):
            self._down()
            if self._stopping.wait(self._chance.uniform(*_DOWN)):
                return
            self._up()

    def _up(self) -> None:
        self.lives += 1
        names = ("OTLP_PORT", "PROMETHEUS_PORT", "OTLP_GRPC_PORT", "HEALTH_PORT")
        environment = os.environ | dict(zip(names, map(str, self._ports), strict=True))
        with (self._directory / "collector.log").open("ab") as log:
            self._child = subprocess.Popen(
                [str(self._binary), "--config", str(CONFIG)],
                env=environment | {"OUT_FILE": str(self.files[-1])},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._ports[0], self._child)

    def _down(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.terminate()
            child.wait(_WITHIN)


def wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    """Until the process listens on the port. Raises `RuntimeError` when it ends or takes too long."""
    end = time.monotonic() + _WITHIN
    while time.monotonic() < end and child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the process {child.args!r} does not listen on {port}; its exit code: {child.poll()}")
