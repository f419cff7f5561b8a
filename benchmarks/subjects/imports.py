"""What an import costs: CPU milliseconds in fresh processes that take turns, bytecode compiled before."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.measure import Effort, Samples, Work, interleaved, named

PROGRAM = "import time; began = time.process_time_ns(); {}; print(time.process_time_ns() - began)"
KEPT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""With it an editable package would be compiled each time, and an installed one not."""
STATEMENTS = {
    "ours": "import slo_otel",
    "otel sdk": "import opentelemetry.sdk.metrics",
}


def fresh(statement: str) -> Work:
    """One interpreter that does nothing else."""

    def work() -> float:
        command = [sys.executable, "-c", PROGRAM.format(statement)]
        ended = subprocess.run(command, check=True, capture_output=True, text=True, env=KEPT)
        return int(ended.stdout) / 1e6

    return work


def measure(effort: Effort) -> Samples:
    """`import.*`, milliseconds."""
    works = {name: fresh(statement) for name, statement in STATEMENTS.items()}
    interleaved(works, 1)
    return named("import", interleaved(works, effort.rounds))
