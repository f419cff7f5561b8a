"""A shop in a process of its own, started in one of three ways, and what a receiver counted of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from slo_otel.receive import Receiver
from tests.auto.shops import REQUESTS, Shop
from tests.frameworks.world import fetch, status_of
from tests.patience import reserved
from tests.runtime.samples import until

COMMANDS: Final = Path(sys.executable).parent
ROOT: Final = Path(__file__).resolve().parents[2]
LAUNCHERS: Final = {
    "explicit": (),
    "opentelemetry-instrument": ("opentelemetry-instrument",),
    "slo-otel run": ("slo-otel", "run", "--"),
}
"""What stands before the command of the server."""
Counts = dict[tuple[tuple[str, str], ...], int]
"""Points of `slo.events` by their attributes, those that count something."""


def environment(endpoint: str, **more: str) -> dict[str, str]:
    """That of a service whose exit alone exports; the rest of OpenTelemetry's SDK is set up, and sends nothing."""
    quiet = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    return {
        **os.environ,
        **quiet,
        "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "django")]),
        "PYTHONUNBUFFERED": "1",
        "UVICORN_TIMEOUT_WORKER_HEALTHCHECK": "60",  # its supervisor kills a worker that begins slowly
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",  # the launcher's distribution prefers gRPC
        "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
        "SLO_OTEL_POLICY": "slo.yaml",
        **more,
    }


class Served:
    """A server that runs, and what it said."""

    def __init__(self, process: subprocess.Popen[str], port: int, log: Path) -> None:
        self.process = process
        self._port = port
        self._log = log

    def said(self) -> str:
        """Standard output and error until now."""
        return self._log.read_text(encoding="utf-8")

    def listens(self) -> bool:
        """Whether somebody answers the port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def get(self, paths: Iterable[str] = REQUESTS) -> list[int]:
        """The statuses of requests, one after the other, each when the server has done with the one before."""
        return [status_of(fetch(self._port, path)) for path in paths]

    def stop(self, sent: signal.Signals = signal.SIGINT) -> str:
        """Ctrl-C unless said otherwise, which servers for development end by properly; everything it said."""
        self.process.send_signal(sent)
        self.process.wait(60)  # gunicorn gives a connection that is open 30 seconds
        return self.said()


@contextmanager
def serving(folder: Path, shop: Shop, launcher: str, endpoint: str, **more: str) -> Iterator[Served]:
    """The shop on a port of its own; killed with its children where a test leaves it running."""
    with reserved() as port, _serving(folder, shop, launcher, port, environment(endpoint, **more)) as served:
        yield served


@contextmanager
def _serving(folder: Path, shop: Shop, launcher: str, port: int, around: dict[str, str]) -> Iterator[Served]:
    shop.write(folder)
    log = folder / "log.txt"
    module = "measured" if launcher == "explicit" else "shop"
    command = [*LAUNCHERS[launcher], *shop.serve(module, port)]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=around | shop.variables(module),
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    served = Served(process, port, log)
    try:
        assert until(lambda: served.listens() or process.poll() is not None, 90), served.said()
        assert process.poll() is None, served.said()
        yield served
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # its own session: the server and its workers, nobody else
            process.wait(10)


def counted(receiver: Receiver) -> Counts:
    """What arrived of `slo.events`, added up over the workers, the zeros left out."""
    found: Counts = {}
    for point in receiver.find("slo.events"):
        if point.value:
            found[point.attributes] = found.get(point.attributes, 0) + int(point.value)
    return found
