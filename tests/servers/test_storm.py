"""Forks while exports are under way: no child hangs, and none tells an event that is not its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slo_otel import names
from slo_otel.receive import Receiver
from tests.runtime.processes import environment
from tests.servers.world import APPS

STORM = """\
import os, signal, sys, threading
import slo_otel

def pay(times):
    for _ in range(times):
        with slo_otel.track("pay"):
            pass

def export():
    while not done.wait(0.001):
        handle.flush(5)

forks = int(sys.argv[1])
handle = slo_otel.configure("slo.yaml")
done = threading.Event()
pay(7)
flusher = threading.Thread(target=export)
flusher.start()
codes = []
for at in range(forks):
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(30)
        pay(1)
        if at % 2:
            os._exit(0 if handle.flush(20) else 1)
        sys.exit()
    pay(1)
    if at % 4 == 3:
        codes += [os.wait()[1] for _ in range(4)]
done.set()
flusher.join()
print(codes.count(0), len(codes))
"""
"""Half of the children end by their own flush, half by the interpreter's exit; each has 30 seconds to live."""


@pytest.mark.parametrize("forks", [40, pytest.param(500, marks=[pytest.mark.servers, pytest.mark.timeout(300)])])
def test_forks_during_exports_neither_hang_nor_tell_a_phantom(tmp_path: Path, forks: int) -> None:
    """The parent exports without a pause while it forks; every child tells its one event, under its own name."""
    (tmp_path / "slo.yaml").write_text((APPS / "slo.yaml").read_text())
    (tmp_path / "storm.py").write_text(STORM)
    with Receiver() as receiver:
        often = dict(environment(receiver)) | {"OTEL_METRIC_EXPORT_INTERVAL": "20"}
        done = subprocess.run(
            [sys.executable, "-W", "error", "storm.py", str(forks)],
            cwd=tmp_path,
            env=often,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        points = receiver.find(names.EVENTS, slo_name="paid", slo_verdict="good")
    assert (done.stdout, done.returncode) == (f"{forks} {forks}\n", 0), done.stderr
    assert sorted(point.value for point in points) == [*[1] * forks, 7 + forks]
    assert len({point.instance for point in points}) == forks + 1
