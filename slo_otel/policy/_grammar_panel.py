"""`panel` of the grammar: what a dashboard row or a report shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from slo_otel.policy._grammar_scan import Scanner, nearest

Word: TypeAlias = Literal[
    "status", "sli", "budget", "burn", "trend", "incidents", "offenders", "regions", "features"
]
WORDS: Final[tuple[Word, ...]] = get_args(Word)


@dataclass(frozen=True, slots=True)
class WordPanel:
    """`status of all`, `burn of tier 1 over 24h`; without `of` the system as a whole."""

    word: Word
    everything: bool = False
    """`of all`."""
    tier: str | None = None
    over_ns: int | None = None

    def __post_init__(self) -> None:
        if self.everything and self.tier is not None:
            raise ValueError("a panel is of all or of one tier")


@dataclass(frozen=True, slots=True)
class RatePanel:
    """`rate of NAME`: all its events per second."""

    name: str
    over_ns: int | None = None


@dataclass(frozen=True, slots=True)
class NamePanel:
    """An SLO, variant or metric, perhaps split: `checkout-success by status over 24h`."""

    name: str
    by: str | None = None
    over_ns: int | None = None


Panel: TypeAlias = WordPanel | RatePanel | NamePanel


def parse_panel(text: str) -> Panel:
    """`budget of all`, `rate of login`, `checkout by status over 24h`. Raises `GrammarError`."""
    scanner = Scanner(text)
    panel = _panel(scanner)
    scanner.finish("a panel is a word ('status of all'), 'rate of NAME' or 'NAME by NAME', then 'over 24h'")
    return panel


def _panel(scanner: Scanner) -> Panel:
    if scanner.word("rate of"):
        return RatePanel(scanner.name("the name of an SLO or event"), _over(scanner))
    for word in WORDS:
        if scanner.word(word):
            return _word(scanner, word)
    name = scanner.name("a word such as status, or the name of an SLO or metric")
    if scanner.word("of"):
        scanner.fail(f"{name!r} of what?", nearest(name, (*WORDS, "rate")), 0)
    by = scanner.name("the name of an attribute") if scanner.word("by") else None
    return NamePanel(name, by, _over(scanner))


def _word(scanner: Scanner, word: Word) -> WordPanel:
    if not scanner.word("of"):
        return WordPanel(word, over_ns=_over(scanner))
    if scanner.word("all"):
        return WordPanel(word, everything=True, over_ns=_over(scanner))
    scanner.expect("tier")
    return WordPanel(word, tier=scanner.name("the name of a tier"), over_ns=_over(scanner))


def _over(scanner: Scanner) -> int | None:
    return scanner.duration() if scanner.word("over") else None
