"""The service in a process of its own, stopped in order whatever happens."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from traffic import SECRET

HERE = Path(__file__).resolve().parent
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_OURS = ("OTEL_", "SLO_OTEL_")


class ServiceDiedError(Exception):
    """The service ended or never answered; the message is the end of its log."""


@dataclass(slots=True)
class Service:
    """The service in a process of its own."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    url: str

    def stop(self) -> None:
        """SIGTERM, as a deploy would: the last export happens on the way out."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        self.log.seek(0)
        return "\n".join(self.log.read().decode(errors="replace").splitlines()[-15:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(receiver: str | None, export_every: float) -> dict[str, str]:
    """With our receiver nothing else may say where metrics go; for a Collector of the user's all of it counts."""
    theirs = {name: value for name, value in os.environ.items() if receiver is None or not name.startswith(_OURS)}
    ours = {ENDPOINT: receiver} if receiver else {}
    interval = {"OTEL_METRIC_EXPORT_INTERVAL": str(round(export_every * 1000))}
    return theirs | ours | interval | {"PAYMENTS_WEBHOOK_SECRET": SECRET.decode()}


@contextlib.contextmanager
def running_service(receiver: str | None, export_every: float) -> Iterator[Service]:
    """The payments service on uvicorn and a free port; SIGTERM on the way out.

    It sends to `receiver`, or where the OTEL_* environment says when that is None.
    """
    port = _free_port()
    environment = _environment(receiver, export_every)
    command = [sys.executable, "-m", "uvicorn", "service:app", "--app-dir", str(HERE), "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        # A session of its own: Ctrl-C reaches this process alone, which then stops the service in order.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [*command, "--no-access-log"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        service = Service(process, log, f"http://127.0.0.1:{port}")
        try:
            yield service
        finally:
            service.stop()
