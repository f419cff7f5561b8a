"""Resource detectors: what they find is on the resource, and what they do wrong keeps nobody from starting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slo_otel.receive import Receiver
from tests.runtime.processes import POLICY, environment

_DETECTORS = """\
import threading
from opentelemetry.sdk.resources import Resource, ResourceDetector

class Rack(ResourceDetector):
    def detect(self):
        return Resource({"rack": "7"})

class Strict(ResourceDetector):
    def __init__(self):
        super().__init__(raise_on_error=True)

    def detect(self):
        raise OSError("no rack here")

class Slow(ResourceDetector):
    def detect(self):
        threading.Event().wait(3.0)
        return Resource({"rack": "late"})
"""
_ENTRY_POINTS = """\
[opentelemetry_resource_detector]
rack = racks:Rack
strict = racks:Strict
slow = racks:Slow
"""
_SCRIPT = """\
from slo_otel.runtime import _identity, configure
from slo_otel.runtime._detected import detected
_identity.detected = lambda given: detected(given, PATIENCE)
handle = configure("slo.yaml", resource={"team": "checkout"})
told = handle._runtime._resource.attributes
print(told.get("rack"), told["team"], told["region"], told["service.name"], len(told["service.instance.id"]))
assert handle.shutdown()
"""


def started(folder: Path, detectors: str, patience: float = 30.0) -> subprocess.CompletedProcess[str]:
    """Configure a process whose environment names detectors."""
    found = folder / "racks-1.0.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: racks\nVersion: 1.0\n", encoding="utf-8")
    (found / "entry_points.txt").write_text(_ENTRY_POINTS, encoding="utf-8")
    (folder / "racks.py").write_text(_DETECTORS, encoding="utf-8")
    (folder / "slo.yaml").write_text(POLICY, encoding="utf-8")
    (folder / "script.py").write_text(f"PATIENCE = {patience}\n{_SCRIPT}", encoding="utf-8")
    with Receiver() as receiver:
        told = {
            "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": detectors,
            "OTEL_RESOURCE_ATTRIBUTES": "region=eu",
        }
        return subprocess.run(
            [sys.executable, "script.py"],
            cwd=folder,
            env=environment(receiver, **told),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )


def test_what_a_detector_finds_is_on_the_resource(tmp_path: Path) -> None:
    """Found by its entry point, beside what the environment and the code say."""
    ran = started(tmp_path, "rack")
    assert (ran.stdout, ran.stderr) == ("7 checkout eu shop 36\n", "")


@pytest.mark.parametrize(
    ("detectors", "patience", "said"),
    [("rack,strict", 30.0, "no rack here"), ("rack,slow", 0.1, "no answer within 0.1 s")],
    ids=["raising", "hanging"],
)
def test_a_detector_that_fails_or_hangs_is_told_and_left_out(
    tmp_path: Path, detectors: str, patience: float, said: str
) -> None:
    """The process starts all the same, with what the environment and the code say."""
    ran = started(tmp_path, detectors, patience)
    assert ran.stdout == "None checkout eu shop 36\n"
    assert ran.stderr.count("\n") == 1
    assert (
        f"goes on without the detectors of OTEL_EXPERIMENTAL_RESOURCE_DETECTORS={detectors}: {said}" in ran.stderr
    )


def test_one_that_is_not_there_is_the_sdks_affair(tmp_path: Path) -> None:
    """It logs an error of its own and goes on with the others."""
    ran = started(tmp_path, "rack,nowhere")
    assert ran.stdout == "7 checkout eu shop 36\n"
    assert "nowhere" in ran.stderr
