"""Where no time zone database is installed, as in small container images, UTC works and the rest is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import sys
sys.modules["tzdata"] = None
import slo_otel
try:
    [status] = slo_otel.configure(sys.argv[1]).status().statuses
    print(status.window, status.state)
except slo_otel.PolicyError as wrong:
    print(wrong)
"""


def told(policy: Path, head: str) -> str:
    """What a process without the database makes of a policy that begins so."""
    policy.write_text(
        f"version: slo/v1\nservice: shop\n{head}slos: [{{name: a, sli: {{success: http}}, window: month}}]\n"
    )
    bare = {"PYTHONTZPATH": "", "OTEL_METRICS_EXPORTER": "none", "SLO_OTEL_STRICT": "1"}
    command = [sys.executable, "-c", PROGRAM, str(policy)]
    run = subprocess.run(command, cwd=ROOT, env=os.environ | bare, capture_output=True, text=True, check=True)
    return run.stdout


def test_utc_needs_no_database(tmp_path: Path) -> None:
    """Neither the default nor UTC written out is looked up; a calendar window is evaluated."""
    for head in ("", "timezone: UTC\n"):
        assert told(tmp_path / "slo.yaml", head) == "month no_data\n"


def test_another_zone_says_what_to_install(tmp_path: Path) -> None:
    """A right name is not called unknown where nothing could be known."""
    said = told(tmp_path / "slo.yaml", "timezone: Europe/Warsaw\n")
    assert said.splitlines() == [
        f"{tmp_path}/slo.yaml:3:11: error: 'Europe/Warsaw' cannot be looked up: no time zone database is here",
        "    fix: pip install tzdata, or install the system's package of that name",
    ]
