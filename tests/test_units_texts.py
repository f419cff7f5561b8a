"""Which texts are durations, percentages and quantities: the parsers against a model that reads characters."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slo_otel import units
from slo_otel.units import UnitError, format_duration, format_percent, parse_duration, parse_percent, parse_quantity

_DIGITS: Final = "0123456789"
_LENGTHS: Final = {
    "ms": Fraction(10**6),
    "s": Fraction(10**9),
    "m": Fraction(60 * 10**9),
    "h": Fraction(3600 * 10**9),
    "d": Fraction(86400 * 10**9),
}
_PARTS: Final = {"%": Fraction(1, 100)}
_AMOUNTS: Final = {
    "": Fraction(1),
    "%": Fraction(1, 100),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "B": Fraction(1),
    "kB": Fraction(1000),
    "MB": Fraction(1000**2),
    "GB": Fraction(1000**3),
    "TB": Fraction(1000**4),
    "KiB": Fraction(1024),
    "MiB": Fraction(1024**2),
    "GiB": Fraction(1024**3),
    "TiB": Fraction(1024**4),
}
_LONGEST: Final = 18


def _number(text: str) -> Fraction | None:
    """ASCII digits, at most one point with digits behind it, at most 18 on each side."""
    whole, point, rest = text.partition(".")
    if not set(whole + rest) <= set(_DIGITS) or max(len(whole), len(rest)) > _LONGEST:
        return None
    if not (rest if point else whole):
        return None
    return Fraction(int(whole or "0")) + (Fraction(int(rest), 10 ** len(rest)) if point else 0)


def _model(text: str, factors: Mapping[str, Fraction], *, signed: bool = False) -> Fraction | None:
    """The value of a number with its unit; None when the language has no such text."""
    bare = text.strip()
    sign = -1 if signed and bare.startswith("-") else 1
    bare = bare.removeprefix("-") if sign < 0 else bare
    end = next((at for at, one in enumerate(bare) if one not in _DIGITS + "."), len(bare))
    number, unit = _number(bare[:end]), bare[end:].strip()
    return None if number is None or unit not in factors else sign * number * factors[unit]


def _duration(text: str) -> int | None:
    try:
        return parse_duration(text)
    except UnitError:
        return None


def _percent(text: str) -> Fraction | None:
    try:
        return parse_percent(text)
    except UnitError:
        return None


def _quantity(text: str) -> Fraction | None:
    try:
        return parse_quantity(text).value
    except UnitError:
        return None


_NUMBERS: Final = st.from_regex(r"-?[0-9]{0,20}(\.[0-9]{0,20})?", fullmatch=True)
_UNITS: Final = st.sampled_from([*_AMOUNTS, "d", "dayz", "S", "M", "KB", "kb", "mib", "%%", "x", "µs", "\uff05"])
_GAPS: Final = st.sampled_from(["", " ", "  ", "\t"])
_TEXTS: Final = st.one_of(
    st.tuples(_GAPS, _NUMBERS, _GAPS, _UNITS, _GAPS).map("".join),
    st.text("0123456789.,eE+-_% \tmshdkMGTiBx٣５²½", max_size=12),
)


@given(_TEXTS)
def test_durations_are_those_of_the_model(text: str) -> None:
    """A text is a duration exactly when the model reads one of whole nanoseconds, and it is that long."""
    expected = _model(text, _LENGTHS)
    assert _duration(text) == (expected if expected is not None and expected.denominator == 1 else None)


@given(_TEXTS)
def test_percentages_are_those_of_the_model(text: str) -> None:
    """A text is a percentage exactly when the model reads one, and it is that ratio."""
    assert _percent(text) == _model(text, _PARTS)


@given(_TEXTS)
def test_quantities_are_those_of_the_model(text: str) -> None:
    """A text is a quantity exactly when the model reads one, sign included, and it is that much."""
    assert _quantity(text) == _model(text, _AMOUNTS, signed=True)


_NEAR: Final = [
    "1.5.2",
    "1e3",
    "1E3",
    "+5",
    "-5",
    "--5",
    "5-",
    "1_000",
    "1,000",
    "1.000,5",
    "5.",
    ".",
    "..",
    "５",
    "٣",
    "५",
    "²",
    "½",
    "Ⅴ",
    "0x10",
    "0b1",
    "inf",
    "nan",
    "Infinity",
    "1/2",
    "∞",
    "5e",
    "1e-3",
    "1234567890123456789",
    "1.1234567890123456789",
]


@pytest.mark.parametrize("number", _NEAR)
def test_what_is_nearly_a_number_is_refused_in_front_of_every_unit(number: str) -> None:
    """Signs, exponents, separators, digits of other scripts, more than 18 of them: no numbers of the language."""
    for unit in ("s", " s", "ms", "d"):
        assert _duration(f"{number}{unit}") is None
    assert _percent(f"{number}%") is None
    if number != "-5":  # a quantity may be below zero
        assert _quantity(f"{number}MB") is None
        assert _quantity(number) is None


@pytest.mark.parametrize(
    "text",
    [
        "5S",
        "5 M",
        "5H",
        "5D",
        "5min",
        "5 sec",
        "5s5",
        "5ss",
        "5m s",
        "5 m5s",
        "1h30m",
        "s5",
        "5ſ",
        "5ｍ",
        "5\u200bs",
    ],
)
def test_what_is_nearly_a_unit_of_time_is_refused(text: str) -> None:
    """Case counts, a duration has one number and one unit, and letters that look alike are others."""
    assert _duration(text) is None


@pytest.mark.parametrize(
    "text", ["5kb", "5KB", "5mB", "5MiB ps", "5 M B", "5Mb", "5d", "5us", "- 5", "5 %%", "5٪", "5％"]
)
def test_what_is_nearly_a_unit_of_size_is_refused(text: str) -> None:
    """`kB` has a small k, bits are no bytes, a day is no quantity."""
    assert _quantity(text) is None


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1), st.sampled_from(sorted(_AMOUNTS)))
@example(9_007_199_254_740_993, 1, "%")
def test_no_digit_is_lost(whole: int, rest: int, unit: str) -> None:
    """36 digits arrive as they are written, where a binary64 number keeps fewer than half of them."""
    text = f"{whole}.{rest:018d}"
    exact = Decimal(text, Context(prec=60))
    assert parse_quantity(f"{text}{unit}").value == Fraction(exact) * _AMOUNTS[unit]
    assert parse_percent(f"{text}%") == Fraction(exact) / 100


@given(st.integers(0, 10**24), st.sampled_from(sorted(_LENGTHS)))
def test_a_printed_duration_is_the_shortest_that_parses_back(length: int, unit: str) -> None:
    """No unit of the language gives fewer characters without a point, and none is lost on the way back."""
    text = format_duration(length)
    if len(text) <= _LONGEST:
        assert parse_duration(text) == length
    if length and length % int(_LENGTHS[unit]) == 0:
        assert len(text.rstrip("mshd")) <= len(str(length // int(_LENGTHS[unit])))


@given(st.fractions(0, 2, max_denominator=10**6).filter(lambda ratio: _finite(ratio.denominator)))
def test_a_printed_percentage_parses_back(ratio: Fraction) -> None:
    """Every ratio with a finite decimal is printed as it, and is read again as the same ratio."""
    assert parse_percent(format_percent(ratio)) == ratio


def _finite(denominator: int) -> bool:
    """Whether it has no factor but 2 and 5."""
    return 10**20 % denominator == 0


def test_floats_are_made_in_two_places_only() -> None:
    """`float` is called where a fraction without an end is printed, and nowhere while a text is read."""
    tree = ast.parse(Path(units.__file__).read_text(encoding="utf-8"))
    makers = {
        function.name
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if _makes_a_float(node)
    }
    assert makers == {"decimal_text", "seconds"}


def _makes_a_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
        return True
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return True
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and ast.unparse(node) == "length_ns / SECOND_NS"
    )
