"""The scanner under every string of POLICY.md 2: tokens with offsets, and errors that say what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from fractions import Fraction
from re import Match, Pattern
from typing import Final, NoReturn, TypeVar

from slo_otel.units import Quantity, UnitError, parse_duration, parse_percent, parse_quantity

T = TypeVar("T")

NAME: Final = r"[\w.\-]+"
_NUMBER: Final = r"(?:[0-9]{1,18}(?:\.[0-9]{1,18})?|\.[0-9]{1,18})"
"""Bounded, as in `units`: Python refuses to convert texts of thousands of digits."""
_LONGEST: Final = 100_000
"""Characters of one expression: what takes a tenth of a second to read, and nobody writes."""
_END: Final = r"(?![\w.\-])"
_SPACE: Final = re.compile(r"\s*")
_NEXT: Final = re.compile(r"\S*")
_NAME: Final = re.compile(NAME)
_INT: Final = re.compile(r"[0-9]{1,18}(?![\w.])")
_FACTOR: Final = re.compile(rf"({_NUMBER})\s*x{_END}")
_DURATION: Final = re.compile(rf"{_NUMBER}\s*(?:ms|[smhd]){_END}")
_PERCENT: Final = re.compile(rf"{_NUMBER}\s*%")
_QUANTITY: Final = re.compile(rf"-?{_NUMBER}(?:\s*(?:%|(?:[kMGT]B|[KMGT]iB|B|ms|[smh]){_END})|(?![\w.%]))")
_PERCENTILE: Final = re.compile(rf"p({_NUMBER}){_END}")
_BARE: Final = re.compile(_NUMBER)


class GrammarError(ValueError):
    """A text outside the grammar. `offset` counts characters from 0; `fix` says what to write instead."""

    def __init__(self, message: str, offset: int, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.fix = fix


def closest(word: str, legal: Iterable[str], alike: float = 0.6) -> str | None:
    """The legal word that is likely meant; `alike` is how much of the two must agree (difflib's ratio)."""
    words = {one.lower(): one for one in legal}
    close = get_close_matches(word.lower(), words, n=1, cutoff=alike)
    return words[close[0]] if close else None


def nearest(word: str, legal: Collection[str]) -> str:
    """`did you mean X?` for the closest legal word, else the list of them."""
    meant = closest(word, legal)
    if meant is None:
        return f"write one of {', '.join(one for one in legal if one.isprintable())}"
    foreign = next((letter for letter in word if not letter.isascii()), None)
    looks = "" if foreign is None else f" {foreign!r} (U+{ord(foreign):04X}) is a letter of another script"
    return f"did you mean {meant!r}?{looks}"


class Scanner:
    """Reads one text from left to right; spaces between tokens are skipped."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise GrammarError(f"a text of {len(text)} characters", 0, f"write at most {_LONGEST}, in parts")
        self.text = text
        self.at = 0
        self.skip()

    def skip(self) -> None:
        """Goes past the spaces at this place."""
        found = _SPACE.match(self.text, self.at)
        self.at = self.at if found is None else found.end()

    def take(self, pattern: Pattern[str]) -> Match[str] | None:
        """The token at this place, read, with the spaces after it; None when it is another one."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
            self.skip()
        return found

    def starts(self, pattern: Pattern[str]) -> bool:
        """Whether such a token comes next; nothing is read."""
        return pattern.match(self.text, self.at) is not None

    def word(self, text: str) -> bool:
        """Whether these words come next, whatever the spaces between them; they are read if so."""
        words = r"\s+".join(map(re.escape, text.split()))
        return self.take(re.compile(words + _END)) is not None

    def expect(self, text: str) -> None:
        """Reads these words or fails."""
        if not self.word(text):
            self.fail(f"expected {text!r}, found {self.found()}", f"write {text!r} here")

    @property
    def next(self) -> str:
        """The text up to the next space, for messages."""
        found = _NEXT.match(self.text, self.at)
        return found[0] if found else ""

    def found(self) -> str:
        """What comes next, for messages."""
        return repr(self.next) if self.next else "the end"

    @property
    def ended(self) -> bool:
        """Whether everything was read."""
        return self.at == len(self.text)

    def finish(self, may_follow: str) -> None:
        """Fails unless everything was read; `may_follow` says what could have stood there."""
        if not self.ended:
            self.fail(f"unexpected {self.next!r}", may_follow)

    def fail(self, message: str, fix: str, at: int | None = None) -> NoReturn:
        """Raises `GrammarError` at this place, or at `at`."""
        raise GrammarError(message, self.at if at is None else at, fix)

    def name(self, of: str) -> str:
        """A NAME: letters, digits, `_ . -`."""
        found = self.take(_NAME)
        if found is None:
            self.fail(f"expected {of}, found {self.found()}", "a name has letters, digits, '_', '.' and '-'")
        return found[0]

    def _unit(self, pattern: Pattern[str], parse: Callable[[str], T]) -> T:
        start = self.at
        token = self.take(pattern)
        try:
            return parse(self.next if token is None else token[0])
        except UnitError as error:
            self.fail(str(error) if token or self.next else "the text ends too early", error.fix, start)

    def duration(self) -> int:
        """A DURATION above zero, in nanoseconds."""
        start = self.at
        length = self._unit(_DURATION, parse_duration)
        if length == 0:
            self.fail("a duration of zero", "write a duration above zero, for example 5m", start)
        return length

    def percent(self) -> Fraction:
        """A PERCENT as an exact ratio."""
        return self._unit(_PERCENT, parse_percent)

    def share(self, of: str) -> Fraction:
        """A PERCENT of at most 100 %, since `of` is a share of something."""
        start = self.at
        ratio = self.percent()
        if ratio > 1:
            self.fail(f"{of} is never above 100%", "write at most 100%", start)
        return ratio

    def quantity(self) -> Quantity:
        """A QUANTITY with its dimension."""
        return self._unit(_QUANTITY, parse_quantity)

    def whole(self) -> int:
        """An INT."""
        found = self.take(_INT)
        if found is None:
            self.fail(f"expected a whole number, found {self.found()}", "write digits only, for example 10")
        return int(found[0])

    def factor(self) -> Fraction:
        """A FACTOR with its `x`."""
        found = self.take(_FACTOR)
        if found is None:
            bare = _BARE.fullmatch(self.next)
            fix = f"write {self.next}x" if bare else "write a number and x, for example 2x"
            self.fail(f"expected a factor, found {self.found()}", fix)
        return Fraction(found[1])

    def percentile(self) -> Fraction | None:
        """`p95` as 95/100, or None when no percentile comes next; outside (0, 100) it fails."""
        start = self.at
        found = self.take(_PERCENTILE)
        if found is None:
            return None
        share = Fraction(found[1]) / 100
        if not 0 < share < 1:
            self.fail(
                f"the percentile {found[0]!r} is not between 0 and 100", "write for example p95 or p99.9", start
            )
        return share
