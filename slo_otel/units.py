"""Exact numbers of the policy language: ratios, durations, quantities and compliance windows.

Durations are integer nanoseconds inside, ratios are `Fraction`s; floats appear only where two numbers are
compared or exported, so that 99.95 % is 1999/2000 and its error budget ratio is 1/2000, never 1 - 0.9995.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
GRID_NS = 15 * MINUTE_NS
"""Windows of a day and longer, and calendar periods, start and end at a multiple of this (POLICY.md 6)."""
LONG_GRID_NS = HOUR_NS
"""Windows of 90 days and longer, quarters and years do at a multiple of this."""

_DURATION_NS = {"ms": 1_000_000, "s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS}
_NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,18})?|\.[0-9]{1,18}"
"""At most 18 digits on each side: Python refuses to convert texts of thousands of them."""
_DURATION = re.compile(rf"\s*({_NUMBER})\s*(ms|s|m|h|d)\s*")
_PERCENT = re.compile(rf"\s*({_NUMBER})\s*%\s*")
_QUANTITY = re.compile(rf"\s*(-?(?:{_NUMBER}))\s*([A-Za-z%]*)\s*")


class Dimension(StrEnum):
    """What a quantity measures; quantities of one SLO share one."""

    NONE = "none"
    BYTES = "bytes"
    SECONDS = "seconds"
    RATIO = "ratio"


_UNITS: dict[str, tuple[Dimension, Fraction]] = {
    "": (Dimension.NONE, Fraction(1)),
    "%": (Dimension.RATIO, Fraction(1, 100)),
    "ms": (Dimension.SECONDS, Fraction(1, 1000)),
    "s": (Dimension.SECONDS, Fraction(1)),
    "m": (Dimension.SECONDS, Fraction(60)),
    "h": (Dimension.SECONDS, Fraction(3600)),
    "B": (Dimension.BYTES, Fraction(1)),
    "kB": (Dimension.BYTES, Fraction(10**3)),
    "MB": (Dimension.BYTES, Fraction(10**6)),
    "GB": (Dimension.BYTES, Fraction(10**9)),
    "TB": (Dimension.BYTES, Fraction(10**12)),
    "KiB": (Dimension.BYTES, Fraction(2**10)),
    "MiB": (Dimension.BYTES, Fraction(2**20)),
    "GiB": (Dimension.BYTES, Fraction(2**30)),
    "TiB": (Dimension.BYTES, Fraction(2**40)),
}


class UnitError(ValueError):
    """A text that is no duration, percentage or quantity. `fix` says what to write instead."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a dimension, in bytes, seconds, ratio or bare units, and the text it came from."""

    value: Fraction
    dimension: Dimension
    text: str


@dataclass(frozen=True, slots=True)
class Rolling:
    """The window `(t - length, t]`. `length_ns` is in nanoseconds and positive."""

    length_ns: int

    def __str__(self) -> str:
        return format_duration(self.length_ns)


class Period(StrEnum):
    """A calendar window, from its start in the policy's time zone until now."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


Window: TypeAlias = Rolling | Period


def grid_ns(length_ns: int, step_ns: int) -> int:
    """What the length and the end of a window of this length are a multiple of."""
    if length_ns < DAY_NS:
        return step_ns
    return GRID_NS if length_ns < 90 * DAY_NS else LONG_GRID_NS


def parse_duration(text: str) -> int:
    """`250ms`, `1.5h`, `30d` as nanoseconds. Raises `UnitError` when there is no unit or no number."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise UnitError(f"{text!r} is not a duration", _duration_fix(text))
    length = Fraction(found[1]) * _DURATION_NS[found[2]]
    if length.denominator != 1:
        raise UnitError(f"{text!r} is finer than a nanosecond", "use at most six decimals of a ms")
    return int(length)


def _duration_fix(text: str) -> str:
    bare = text.strip()
    if re.fullmatch(_NUMBER, bare):
        return f"add a unit: {bare}ms, {bare}s, {bare}m, {bare}h or {bare}d"
    return "write a number and one of ms, s, m, h, d, for example 250ms, 10m or 30d"


def parse_percent(text: str) -> Fraction:
    """`99.95%` as the exact ratio 1999/2000. Raises `UnitError` without the percent sign."""
    found = _PERCENT.fullmatch(text)
    if found is None:
        raise UnitError(f"{text!r} is not a percentage", _percent_fix(text.strip()))
    return Fraction(found[1]) / 100


def _percent_fix(bare: str) -> str:
    """A number below 1 is likelier the ratio itself: 0.999 is meant to be 99.9%."""
    if not re.fullmatch(_NUMBER, bare):
        return "write a percentage, for example 99.5%"
    number = Fraction(bare)
    return f"{format_percent(number)}, or {bare}%" if 0 < number < 1 else f"{bare}%"


def parse_quantity(text: str) -> Quantity:
    """`500MB`, `512MiB`, `80%`, `10`. Raises `UnitError` for an unknown unit."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in _UNITS:
        raise UnitError(f"{text!r} is not a quantity", "units are B kB MB GB TB KiB MiB GiB TiB ms s m h %")
    dimension, factor = _UNITS[found[2]]
    return Quantity(Fraction(found[1]) * factor, dimension, text.strip())


def format_duration(length_ns: int) -> str:
    """The shortest text that parses back: `90s` stays `90s`, `3600s` becomes `1h`."""
    for unit in ("d", "h", "m", "s", "ms"):
        size = _DURATION_NS[unit]
        if length_ns and length_ns % size == 0:
            return f"{length_ns // size}{unit}"
    return f"{decimal_text(Fraction(length_ns, _DURATION_NS['ms']))}ms"


def format_percent(ratio: Fraction) -> str:
    """The exact percentage of a ratio: 1999/2000 becomes `99.95%`."""
    return f"{decimal_text(ratio * 100)}%"


def decimal_text(number: Fraction) -> str:
    """The exact decimal literal of a fraction whose denominator has only the factors 2 and 5.

    Any other fraction (14.4 · 1/7) is printed as the shortest decimal of its binary64 value.
    """
    rest = number.denominator
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return format(Decimal(repr(float(number))), "f")
    places = max(twos, fives)
    digits = number.numerator * 10**places // number.denominator
    text = f"{abs(digits):0{places + 1}d}"
    sign = "-" if digits < 0 else ""
    return sign + (f"{text[:-places]}.{text[-places:]}" if places else text)


def seconds(length_ns: int) -> float:
    """Nanoseconds as the nearest binary64 number of seconds (int / int rounds once)."""
    return length_ns / SECOND_NS
