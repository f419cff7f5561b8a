"""Whether a word is another one with a slip of the keyboard in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_SHORTEST: Final = 4
"""Letters of a word of which every neighbour may be a word of its own when it is shorter."""

_LONGEST: Final = 100
"""Letters of a word that nobody types."""


def slip_of(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was likely meant to be: one letter too many, too few, another or in another place.

    Not where they begin differently (`season`), differ in a digit (`step_2`), or `word` goes on (`router`), unless
    it is the plural.
    """
    written = word.lower()
    return next((one for one in known if one != word and _is_slip(written, one.lower())), None)


def _is_slip(word: str, meant: str) -> bool:
    if word == meant:
        return True
    if not _SHORTEST <= len(meant) <= _LONGEST or abs(len(word) - len(meant)) > 1 or word[0] != meant[0]:
        return False
    if word[:-1] == meant and word[-1] != "s":
        return False
    left, right = _differing(word, meant)
    swapped = len(left) == 2 and left == right[::-1]
    return (left + right).isalpha() and (swapped or max(len(left), len(right)) == 1)


def _differing(one: str, other: str) -> tuple[str, str]:
    """Both without what they have in common at their beginning and at their end."""
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return one, other
