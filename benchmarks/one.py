"""One subject in a process of its own: `python -m benchmarks.one SUBJECT ROUNDS [quick]` prints its samples."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys

from benchmarks.measure import Effort, Samples

UNPINNED = frozenset({"served", "lateness"})
"""These need a second core: for wrk, and for the thread that exports."""


def pin() -> None:
    """Stay on one core, where the system can."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def main(subject: str, rounds: int, *, quick: bool) -> None:
    """Measure and print. What a subject prints itself goes to stderr."""
    if subject not in UNPINNED:
        pin()
    module = importlib.import_module(f"benchmarks.subjects.{subject}")
    with contextlib.redirect_stdout(sys.stderr):
        samples: Samples = module.measure(Effort(rounds, quick))
    print(json.dumps(samples))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), quick="quick" in sys.argv[3:])
