"""`python -m tests.policy.mutants nexus --count 500 --seed 7`: mutants of one policy in a process of its own.

One process for all of them, so that its largest memory is a bound for each. `--operator NAME --index N` shows one.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.policy.mutants.judge import fault_of, problems_of
from tests.policy.mutants.operators import OPERATORS, mutant
from tests.policy.mutants.original import Mutant, Operator, Original
from tests.policy.shared import POLICIES

SEED: Final = os.environ.get("MUTANTS_SEED")
"""The seed that a failed test printed brings its mutants back; None: each run draws its own."""
MAX_MB: Final = 200
_LINT_EVERY: Final = 10
_SHOWN: Final = 12


def made(operator: Operator, original: Original, seed: str, index: int) -> Mutant:
    """The mutant of this number: the same for the same seed, whatever else is run."""
    return mutant(operator, original, random.Random(f"{seed} {original.name} {operator.__name__} {index}"))


def _run(original: Original, operators: tuple[Operator, ...], seed: str, count: int, file: Path) -> list[str]:
    faults = []
    for operator in operators:
        for index in range(count):
            one = made(operator, original, seed, index)
            fault = fault_of(one, file, lint=index % _LINT_EVERY == 0)
            if fault is not None:
                faults.append(f"--operator {operator.__name__} --index {index}: {one.what}: {fault}")
    return faults


def _show(operator: Operator, original: Original, seed: str, index: int, file: Path) -> None:
    one = made(operator, original, seed, index)
    print(f"{operator.__name__} {index}: {one.what}; lines {sorted(one.lines)[:5]}, invalid {one.invalid}")
    print(f"fault: {fault_of(one, file, lint=True)}")
    for problem in problems_of(file):
        print(problem)


def _peak_mb() -> float:
    """The most memory this process ever had, in MB.

    Linux' `ru_maxrss` includes what the parent had when it forked, so there the memory map is asked.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _spent() -> str:
    return f"{time.process_time():.0f} s of CPU time in all, {_peak_mb():.0f} MB at most"


def main() -> int:
    """Run what the arguments say; 1 when the loader did something it must not."""
    parser = argparse.ArgumentParser()
    parser.add_argument("policy", choices=[path.stem for path in POLICIES])
    parser.add_argument("--seed", default=SEED, required=SEED is None)
    parser.add_argument("--count", type=int, default=1, help="mutants of each operator")
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1, help="every so many-th operator, beginning with --part")
    parser.add_argument("--operator", choices=[one.__name__ for one in OPERATORS])
    parser.add_argument("--index", type=int)
    given = parser.parse_args()
    original = Original(next(path for path in POLICIES if path.stem == given.policy))
    chosen = tuple(one for one in OPERATORS[given.part :: given.parts] if given.operator in (None, one.__name__))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "slo.yaml"
        if given.index is not None:
            _show(chosen[0], original, given.seed, given.index, file)
            return 0
        faults = _run(original, chosen, given.seed, given.count, file)
    if _peak_mb() >= MAX_MB:
        faults.append(f"more than {MAX_MB} MB of memory")
    print(f"{len(chosen) * given.count} mutants of {given.policy}, seed {given.seed}: {_spent()}")
    print("\n".join(faults[:_SHOWN]))
    print(f"{len(faults)} faults" if faults else "", end="")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
