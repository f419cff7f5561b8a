"""Services in processes of their own, and what a receiver got from them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from slo_otel.receive import Receiver
from tests.runtime.samples import until

POLICY = """\
version: slo/v1
service: shop
step: 1s
slos:
  - name: answered
    sli: {success: http}
    objective: 99%
    window: 1h
  - name: paid
    sli: {success: pay}
    objective: 99%
    window: 1h
"""

APP = """\
import slo_otel
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def pay(request):
    return PlainTextResponse("paid")

app = Starlette(routes=[Route("/pay", pay)])
slo_otel.configure("slo.yaml").instrument(app)
"""

_WATCHDOG = """\
import faulthandler, os, signal
faulthandler.register(signal.SIGALRM, chain=True)
signal.alarm(150)
os.register_at_fork(after_in_child=lambda: signal.alarm(150))
"""
"""A process that hangs says where and ends, and so does each of its children."""

_RUNNING = re.compile(r"Uvicorn running on http://127\.0\.0\.1:(\d+)")


def environment(receiver: Receiver, **more: str) -> Mapping[str, str]:
    """The environment of a service that exports to the receiver once an hour: what arrives, an exit sent."""
    return {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PYTHONUNBUFFERED": "1",
        "UVICORN_TIMEOUT_WORKER_HEALTHCHECK": "60",  # its supervisor kills a worker that begins slowly
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
        **more,
    }


def run(script: str, folder: Path, receiver: Receiver, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script beside the policy to its end."""
    (folder / "slo.yaml").write_text(POLICY)
    (folder / "script.py").write_text(_WATCHDOG + script)
    return subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        cwd=folder,
        env=environment(receiver, **more),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


class Server:
    """A uvicorn process that serves `APP`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.port = self._find_port()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _find_port(self) -> int:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := _RUNNING.search(line):
                return int(found[1])
        raise AssertionError("".join(self.lines))

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(self.process.stderr)

    def wait(self, workers: int) -> None:
        """Until so many workers serve."""
        assert until(lambda: "".join(self.lines).count("Application startup complete") == workers, 60), self.lines

    def get(self, path: str) -> int:
        """One request on a connection of its own."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return int(answer.status)

    def stop(self, sent: signal.Signals) -> int:
        """End it with a signal, and wait for it."""
        self.process.send_signal(sent)
        code = self.process.wait(60)
        self._reader.join(30)
        return code


@contextmanager
def serving(folder: Path, receiver: Receiver, *arguments: str, **more: str) -> Iterator[Server]:
    """uvicorn on a free port; killed where a test leaves it running."""
    (folder / "slo.yaml").write_text(POLICY)
    (folder / "shop.py").write_text(APP)
    command = [sys.executable, "-m", "uvicorn", "shop:app", "--port", "0", *arguments]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(receiver, **more),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Server(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # its own session: the server and its workers, nobody else
            process.wait(10)
        assert process.stderr is not None
        process.stderr.close()
