"""Forks while exports over gRPC are under way: no child fails, no fork waits long, nothing is written to stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest

from slo_otel.export._fork_gate import CUT_SECONDS, WAIT_SECONDS, ForkGate
from tests.stress import faulty_grpc, scaled
from tests.stress.faulty_grpc import Answering, GrpcCollector

ROOT = Path(__file__).resolve().parents[2]
SLACK = 1.5
"""Seconds that a busy machine may add; the calls that hang would add more."""


def _forking(collector: GrpcCollector, forks: int) -> tuple[dict[str, float], str]:
    """What a process that forks says, and what was written to its stderr."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
    }
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.export.forking", str(forks)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=scaled(200, 500),
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout), ended.stderr


def _after(seconds: float) -> Answering:
    def accept(context: grpc.ServicerContext, over: threading.Event) -> bytes:
        over.wait(seconds)
        return faulty_grpc.accepts(context, over)

    return accept


@pytest.mark.soak
@pytest.mark.parametrize("answering", [0.0, 0.02])
def test_children_of_a_fork_within_a_call_export_too(answering: float) -> None:
    """Whether calls are short or a fork always finds one: without the gate one child in twenty crashes."""
    forks = scaled(10, 500)
    with GrpcCollector(_after(answering)) as collector:
        told, stderr = _forking(collector, forks)
        assert len(collector.bodies) > forks
    assert told["failed"] == 0
    assert told["last"]
    assert told["longest"] < WAIT_SECONDS + SLACK
    assert stderr == ""


def test_a_fork_does_not_wait_for_a_collector_that_hangs() -> None:
    """Its call is cut, and begun again when the fork is over."""

    def hangs_once(context: grpc.ServicerContext, over: threading.Event) -> bytes:
        if len(collector.bodies) == 5:
            over.wait(20 * WAIT_SECONDS)
        return faulty_grpc.accepts(context, over)

    with GrpcCollector(hangs_once) as collector:
        told, stderr = _forking(collector, 5)
    assert told["failed"] == 0
    assert told["last"]
    assert told["longest"] < WAIT_SECONDS + CUT_SECONDS + SLACK
    assert stderr == ""


def test_a_call_waits_for_a_fork() -> None:
    """None begins between the two hooks of a fork; the one that waited goes on afterwards."""
    gate, begun = ForkGate(), threading.Event()

    def call() -> None:
        with gate.call(lambda: None, 60.0):
            begun.set()

    gate.before_fork()
    thread = threading.Thread(target=call)
    thread.start()
    assert not begun.wait(0.05)
    gate.after_fork()
    assert begun.wait(30)
    thread.join()


def test_a_call_does_not_wait_for_ever() -> None:
    """It has its own deadline, whatever forks do."""
    gate = ForkGate()
    gate.before_fork()
    with pytest.raises(TimeoutError), gate.call(lambda: None, 0.01):
        pass


def test_a_fork_waits_for_a_call_and_then_cuts_it() -> None:
    """Not at once, and not for long; what cutting takes may need the gate."""
    gate, inside, over = ForkGate(), threading.Event(), threading.Event()
    ended: list[float] = []

    def call() -> None:
        with gate.call(over.set, 30.0):
            inside.set()
            over.wait(30)
        ended.append(time.monotonic())

    thread = threading.Thread(target=call)
    thread.start()
    assert inside.wait(30)
    began = time.monotonic()
    gate.before_fork()
    waited = time.monotonic() - began
    gate.after_fork()
    thread.join()
    assert WAIT_SECONDS <= waited < WAIT_SECONDS + SLACK
    assert ended[0] - began >= WAIT_SECONDS


def test_a_call_that_cannot_be_cut_does_not_stop_a_fork() -> None:
    """The fork goes on; in its child there is no such call any more, and others may begin."""
    gate = ForkGate()
    with gate.call(lambda: None, 1.0):
        began = time.monotonic()
        gate.before_fork()
        gate.after_fork_in_child()
        assert time.monotonic() - began < WAIT_SECONDS + CUT_SECONDS + SLACK
        assert not gate._calls
        with gate.call(lambda: None, 0.0):
            assert len(gate._calls) == 1
