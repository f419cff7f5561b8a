"""Damaged policies: always errors with positions or a policy, never a traceback, never slow."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from slo_otel import policy
from slo_otel.errors import PolicyError, Problem
from tests.policy.shared import POLICIES

PER_FILE: Final = 50
_NOISE: Final = "{}[]:,>|&*!%@`'\"#-\t\n\\ \x00é∞<=0%"


def _drop_line(lines: list[str], dice: random.Random) -> None:
    del lines[dice.randrange(len(lines))]


def _double_line(lines: list[str], dice: random.Random) -> None:
    at = dice.randrange(len(lines))
    lines.insert(at, lines[at])


def _swap_lines(lines: list[str], dice: random.Random) -> None:
    one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _shift_line(lines: list[str], dice: random.Random) -> None:
    at = dice.randrange(len(lines))
    lines[at] = lines[at][2:] if dice.random() < 0.5 else f"  {lines[at]}"


def _noise(lines: list[str], dice: random.Random) -> None:
    at = dice.randrange(len(lines))
    column = dice.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:column] + dice.choice(_NOISE) + lines[at][column:]


def _drop_character(lines: list[str], dice: random.Random) -> None:
    at = dice.randrange(len(lines))
    if lines[at]:
        column = dice.randrange(len(lines[at]))
        lines[at] = lines[at][:column] + lines[at][column + 1 :]


def _cut(lines: list[str], dice: random.Random) -> None:
    del lines[dice.randrange(1, len(lines)) :]


def _swap_words(lines: list[str], dice: random.Random) -> None:
    words = [word for line in lines for word in line.split("#")[0].split()]
    one, other = dice.choice(words), dice.choice(words)
    at = next(at for at, line in enumerate(lines) if one in line)
    lines[at] = lines[at].replace(one, other)


def _empty_value(lines: list[str], dice: random.Random) -> None:
    keyed = [at for at, line in enumerate(lines) if ":" in line]
    at = dice.choice(keyed)
    lines[at] = lines[at].split(":", 1)[0] + ":"


OPERATORS: Final[tuple[Callable[[list[str], random.Random], None], ...]] = (
    _drop_line,
    _double_line,
    _swap_lines,
    _shift_line,
    _noise,
    _drop_character,
    _cut,
    _swap_words,
    _empty_value,
)


def mutant(text: str, dice: random.Random) -> str:
    """The text with one to three damages."""
    lines = text.splitlines()
    for _ in range(dice.randint(1, 3)):
        if len(lines) < 20:
            break
        dice.choice(OPERATORS)(lines, dice)
    return "\n".join(lines) + "\n"


def problems_of(text: str) -> tuple[Problem, ...]:
    """What is wrong with a text; a text without mistakes also compiles."""
    try:
        policy.compile(policy.loads(text))
    except PolicyError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_damaged_policy_gives_problems_or_a_policy(path: Path) -> None:
    """Fifty mutants of each file load and compile, or raise errors with a place, each in under a second of CPU."""
    dice = random.Random(f"{path.stem}: seeded, so that a failure comes back")
    refused = 0
    for _ in range(PER_FILE):
        damaged = mutant(path.read_text(), dice)
        start = time.thread_time()
        found = problems_of(damaged)
        assert time.thread_time() - start < 1
        rows = damaged.count("\n") + 2
        assert all(1 <= one.line <= rows and one.column >= 1 for one in found), found
        assert all(one.message and one.code and one.level == "error" for one in found)
        refused += bool(found)
    assert 0 < refused < PER_FILE


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_lint_survives_what_load_survives(path: Path, tmp_path: Path) -> None:
    """Lint of twenty mutants of each file gives problems in the order of the file and never raises."""
    dice = random.Random(f"{path.stem}: lint")
    damaged = tmp_path / "slo.yaml"
    for _ in range(20):
        damaged.write_text(mutant(path.read_text(), dice))
        found = policy.lint(damaged)
        assert [(one.line, one.column) for one in found] == sorted((one.line, one.column) for one in found)
