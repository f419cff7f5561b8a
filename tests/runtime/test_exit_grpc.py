"""A process that exports over gRPC ends as quietly, promptly and completely as over HTTP, and so do its forks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc
import pytest

from slo_otel import names
from tests.export.added import Added
from tests.runtime.processes import POLICY
from tests.stress import faulty_grpc
from tests.stress.faulty_grpc import Answering, GrpcCollector, fails

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """\
import atexit, multiprocessing, os, sys, time, warnings
atexit.register(lambda: print(time.monotonic()))  # the last hook to run
import slo_otel
warnings.simplefilter("ignore", DeprecationWarning)  # that a process with threads forks is what is tried
handle = slo_otel.configure("slo.yaml")
def pay():
    with slo_otel.track("pay"):
        pass
pay()
{end}
"""
ENDS: Mapping[str, tuple[str, int]] = {
    "the last line": ("", 1),
    "a flush before": ("handle.flush(30); pay()", 2),
    "a child of os.fork": ("os.fork() or (pay(), sys.exit(0)); os.wait()", 2),
    "a child of multiprocessing": (
        "child = multiprocessing.get_context('fork').Process(target=pay); child.start(); child.join()",
        2,
    ),
    "children after an export": (
        "handle.flush(30)\nfor _ in range(5):\n    os.fork() or (pay(), sys.exit(0)); os.wait(); pay()",
        11,
    ),
}
"""How it ends, and how many events there were."""


def _run(folder: Path, end: str, collector: GrpcCollector) -> subprocess.CompletedProcess[str]:
    (folder / "slo.yaml").write_text(POLICY)
    (folder / "script.py").write_text(SCRIPT.format(end=end))
    environment = {
        "PYTHONPATH": str(ROOT),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
    }
    command = [sys.executable, "script.py"]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.parametrize("end", ENDS)
def test_the_last_event_arrives(tmp_path: Path, end: str) -> None:
    """However it ends, in the process and in its children, with nothing on stderr."""
    script, events = ENDS[end]
    added = Added()
    with GrpcCollector(take=added.take) as collector:
        ended = _run(tmp_path, script, collector)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert _good(added) == events


def _good(added: Added) -> int:
    return sum(
        count
        for (name, told), count in added.counts().items()
        if name == names.EVENTS and {("slo.name", "paid"), ("slo.verdict", "good")} <= set(told)
    )


@pytest.mark.parametrize("behave", [faulty_grpc.hangs, fails(grpc.StatusCode.UNAVAILABLE)])
def test_a_collector_that_fails_holds_no_exit_up(tmp_path: Path, behave: Answering) -> None:
    """Within what an exit may wait; one line says that exports fail."""

    def exits() -> bool:
        with GrpcCollector(behave) as collector:
            ended = _run(tmp_path, "print(time.monotonic())", collector)
        assert ended.returncode == 0
        assert all(line.startswith("slo_otel: ") for line in ended.stderr.splitlines()), ended.stderr
        assert len([line for line in ended.stderr.splitlines() if "no export to" in line]) == 1
        began, left = map(float, ended.stdout.split())
        return left - began < 3.0 + 1.5

    assert any(exits() for _ in range(5))
