"""A tracer that is set while the runtime runs by itself, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slo_otel.receive import Receiver
from tests.runtime.processes import run

SCRIPT = """\
import sys, threading, time
import slo_otel
from slo_otel import instrumentation

found = set()
def watch(event, arguments):
    if event == "import" and threading.current_thread() is not threading.main_thread():
        found.add(arguments[0])
sys.addaudithook(watch)

handle = slo_otel.configure("slo.yaml")
print(instrumentation.active().spans)

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
deadline = time.monotonic() + 30
while time.monotonic() < deadline and instrumentation.active().spans is None:
    LOOK
print(instrumentation.active().spans is not None, sorted(found))
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver for other processes."""
    with Receiver() as running:
        yield running


def test_the_runtimes_thread_finds_it_and_imports_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """A fork while a thread imports would leave the child without the module, so `configure` imported it."""
    script = SCRIPT.replace("LOOK", "time.sleep(0.01)")
    assert run(script, tmp_path, receiver, OTEL_METRIC_EXPORT_INTERVAL="100").stdout == "None\nTrue []\n"


def test_a_function_as_a_service_finds_it_in_its_flush(tmp_path: Path, receiver: Receiver) -> None:
    """Without a thread the next `flush` looks."""
    script = SCRIPT.replace("LOOK", "handle.flush(2)")
    assert run(script, tmp_path, receiver, AWS_LAMBDA_FUNCTION_NAME="shop").stdout == "None\nTrue []\n"
