"""No thread of ours imports a module: a fork in the middle of it would leave the child without that module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slo_otel.receive import Answer, Receiver
from tests.runtime.processes import run

SCRIPT = """\
import sys, threading
import slo_otel

found = set()
def watch(event, arguments):
    if event == "import" and threading.current_thread() is not threading.main_thread():
        found.add(arguments[0])
sys.addaudithook(watch)

handle = slo_otel.configure("slo.yaml")
for _ in range(3):
    with slo_otel.track("pay"):
        pass
    handle.flush(2)
    handle.status()
print(sorted(found))
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver for other processes."""
    with Receiver() as running:
        yield running


@pytest.mark.parametrize("answer", [Answer.ACCEPT, Answer.UNAVAILABLE])
@pytest.mark.parametrize(
    "more",
    [
        {"OTEL_METRIC_EXPORT_INTERVAL": "100"},
        {"OTEL_METRIC_EXPORT_INTERVAL": "100", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
        {"OTEL_METRIC_EXPORT_INTERVAL": "100", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
    ids=["http", "gzip", "grpc"],
)
def test_ticks_and_exports_import_nothing(
    tmp_path: Path, receiver: Receiver, answer: Answer, more: dict[str, str]
) -> None:
    """Whatever the ticks and exports of a process need was imported by `configure`, in the caller's thread."""
    receiver.answer = answer
    assert run(SCRIPT, tmp_path, receiver, **more).stdout == "[]\n"
