"""The brief form of `make soak`: the same command, with 200,000 requests instead of ten million."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = 200_000


def test_requests_of_which_no_two_are_alike_stay_bounded_and_are_all_counted() -> None:
    """Distinct paths, methods, hosts and attributes: totals exact, series and memory bounded, no fault of ours."""
    command = [sys.executable, "tools/soak.py", str(REQUESTS)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=290, check=False)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert f"{REQUESTS:,} requests in" in said
    assert "BROKEN" not in said
