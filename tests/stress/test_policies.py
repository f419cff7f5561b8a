"""Damaged policies by named operators: an error at the damage, or at least one with a place; never a traceback."""

from __future__ import annotations

import secrets
import subprocess
import sys
from typing import Final

import pytest

from tests.policy.mutants import OPERATORS
from tests.policy.mutants.__main__ import MAX_MB, SEED
from tests.policy.shared import POLICIES, ROOT
from tests.stress import scaled

COUNT: Final = scaled(3, 500)
PARTS: Final = scaled(1, 9)
"""Processes for one policy: the longest policy takes minutes, which the workers share."""


@pytest.mark.soak
@pytest.mark.timeout(scaled(300, 600))
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", [path.stem for path in POLICIES])
def test_a_damaged_policy_is_refused_at_the_damage(name: str, part: int) -> None:
    """Every operator's mutants of a policy are judged rightly, each within 1 s of CPU, all within 200 MB."""
    seed = SEED or f"{secrets.randbits(32)}"
    print(f"MUTANTS_SEED={seed}")
    arguments = ["--seed", seed, "--count", str(COUNT), "--part", str(part), "--parts", str(PARTS)]
    command = [sys.executable, "-m", "tests.policy.mutants", name, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=scaled(290, 590), check=False)
    print(done.stdout)
    assert done.returncode == 0, f"{' '.join(command[1:])}\n{done.stdout}\n{done.stderr}"


def test_there_are_enough_operators() -> None:
    """At least twelve operators, no two of one name, each with a sentence that says which line counts."""
    names = [one.__name__ for one in OPERATORS]
    assert len(set(names)) == len(names) >= 12
    assert all(one.__doc__ for one in OPERATORS)


def test_the_memory_of_the_mutants_is_their_own() -> None:
    """A test process that is large itself does not make the loader look so."""
    ballast = b"x" * (MAX_MB + 50) * 2**20
    command = [sys.executable, "-m", "tests.policy.mutants", "nexus", "--seed", "1", "--parts", str(len(OPERATORS))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=290, check=False)
    assert done.returncode == 0, done.stdout
    del ballast
