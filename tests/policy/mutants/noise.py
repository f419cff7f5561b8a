"""Operators without a claim: after them a policy may be right or wrong, but never breaks the loader."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tests.policy.mutants.original import Mutant, Original

_NOISE: Final = "{}[]:,>|&*!%@`'\"#-\t\n\\ \x00é∞<=0%?~\r\u2028\ufeff"


def _drop(lines: list[str], dice: random.Random) -> None:
    del lines[dice.randrange(len(lines))]


def _double(lines: list[str], dice: random.Random) -> None:
    at = dice.randrange(len(lines))
    lines.insert(at, lines[at])


def _swap(lines: list[str], dice: random.Random) -> None:
    one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _shift(lines: list[str], dice: random.Random) -> None:
    at = dice.randrange(len(lines))
    lines[at] = lines[at][2:] if dice.random() < 0.5 else f"  {lines[at]}"


def _cut(lines: list[str], dice: random.Random) -> None:
    del lines[dice.randrange(1, len(lines)) :]


def _add_character(lines: list[str], dice: random.Random) -> None:
    at = dice.randrange(len(lines))
    column = dice.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:column] + dice.choice(_NOISE) + lines[at][column:]


def _drop_character(lines: list[str], dice: random.Random) -> None:
    at = dice.randrange(len(lines))
    column = dice.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:column] + lines[at][column + 1 :]


def _swap_words(lines: list[str], dice: random.Random) -> None:
    words = [word for line in lines for word in line.split("#")[0].split()]
    one, other = dice.choice(words), dice.choice(words)
    at = next(at for at, line in enumerate(lines) if one in line)
    lines[at] = lines[at].replace(one, other)


def damage_lines(original: Original, dice: random.Random) -> Mutant | None:
    """One to three lines are dropped, doubled, swapped or shifted, or the file ends early."""
    return _damaged(original, dice, (_drop, _double, _swap, _shift, _cut))


def damage_characters(original: Original, dice: random.Random) -> Mutant | None:
    """One to three characters are dropped or added, or words change places."""
    return _damaged(original, dice, (_add_character, _drop_character, _swap_words))


def _damaged(
    original: Original, dice: random.Random, ways: tuple[Callable[[list[str], random.Random], None], ...]
) -> Mutant:
    lines = original.text.split("\n")
    chosen = [dice.choice(ways) for _ in range(dice.randint(1, 3))]
    for way in chosen:
        if len(lines) > 9:
            way(lines, dice)
    shown = ", ".join(way.__name__.strip("_") for way in chosen)
    return Mutant("\n".join(lines).encode(), frozenset(), False, shown)
