"""Exact numbers: from text to fraction and back, without a float in between."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slo_otel.units import (
    DAY_NS,
    HOUR_NS,
    MINUTE_NS,
    SECOND_NS,
    Dimension,
    Period,
    Rolling,
    UnitError,
    decimal_text,
    format_duration,
    format_percent,
    parse_duration,
    parse_percent,
    parse_quantity,
    seconds,
)

DECIMALS = st.builds(
    lambda whole, places: Fraction(whole, 10**places), st.integers(-(10**12), 10**12), st.integers(0, 9)
)


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("99.95%", Fraction(1999, 2000)),
        ("99.5%", Fraction(199, 200)),
        ("100%", Fraction(1)),
        ("0.001%", Fraction(1, 100_000)),
        (".5%", Fraction(1, 200)),
        (" 99.90 % ", Fraction(999, 1000)),
    ],
)
def test_percentages_are_exact(text: str, ratio: Fraction) -> None:
    """A percentage is the fraction that its text says."""
    assert parse_percent(text) == ratio


def test_the_budget_ratio_is_exact_where_floats_are_not() -> None:
    """1 - 99.95 % is 1/2000; the float detour of 99.5 % is another number than the literal."""
    assert 1 - parse_percent("99.95%") == Fraction(1, 2000)
    assert 1 - 0.995 != 0.005
    assert float(1 - parse_percent("99.5%")) == 0.005
    assert decimal_text(1 - parse_percent("99.5%")) == "0.005"
    assert decimal_text(Fraction(144, 10) * (1 - parse_percent("99.9%"))) == "0.0144"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("250ms", 250 * 10**6),
        ("60s", MINUTE_NS),
        ("10m", 10 * MINUTE_NS),
        ("1.5h", 90 * MINUTE_NS),
        ("30d", 30 * DAY_NS),
        ("0.000001ms", 1),
        (" 5 m ", 5 * MINUTE_NS),
    ],
)
def test_durations(text: str, length: int) -> None:
    """A duration is a whole number of nanoseconds."""
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("10", "10ms, 10s, 10m, 10h or 10d"),
        ("10 minutes", "one of ms, s, m, h, d"),
        ("-5m", "one of ms, s, m, h, d"),
        ("1e3s", "one of ms, s, m, h, d"),
        ("", "one of ms, s, m, h, d"),
        ("٥m", "one of ms, s, m, h, d"),
        ("0.0000001ms", "at most six decimals of a ms"),
        ("9" * 5000 + "s", "one of ms, s, m, h, d"),
    ],
)
def test_no_durations(text: str, fix: str) -> None:
    """Without a unit, a number or a whole nanosecond it is refused, with what to write."""
    with pytest.raises(UnitError) as raised:
        parse_duration(text)
    assert fix in raised.value.fix


@pytest.mark.parametrize(
    ("text", "fix"),
    [("99.5", "99.5%"), ("0.995", "99.5%, or 0.995%"), ("1", "1%"), ("1.5", "1.5%"), ("0", "0%")],
)
def test_a_bare_number_gets_its_sign(text: str, fix: str) -> None:
    """Only between 0 and 1 it may be the ratio itself, which is then proposed first."""
    with pytest.raises(UnitError) as raised:
        parse_percent(text)
    assert raised.value.fix == fix


@pytest.mark.parametrize("text", ["99,5%", "", "half", "٩٩%", "9" * 19 + "%", "-1%"])
def test_no_percentages(text: str) -> None:
    """What is no number is refused, with an example of one."""
    with pytest.raises(UnitError) as raised:
        parse_percent(text)
    assert raised.value.fix == "write a percentage, for example 99.5%"


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_duration, "10"),
        (parse_duration, "soon"),
        (parse_duration, "0.0000001ms"),
        (parse_percent, "half"),
        (parse_percent, "0.5"),
        (parse_quantity, "3 apples"),
    ],
)
def test_what_is_refused_is_quoted_and_what_is_proposed_is_accepted(
    parse: Callable[[str], object], text: str
) -> None:
    """The message has the text as it was written; every number with a unit in the fix parses."""
    with pytest.raises(UnitError, match=re.escape(repr(text))) as raised:
        parse(text)
    for proposed in re.findall(r"[0-9][^\s,]*", raised.value.fix):
        assert parse(proposed) is not None


def test_every_unit_is_worth_what_its_name_says() -> None:
    """SI prefixes are powers of 1000, binary ones of 1024, times multiples of a second; the fix has them all."""
    worth = {"": Fraction(1), "%": Fraction(1, 100), "ms": Fraction(1, 1000), "s": 1, "m": 60, "h": 60 * 60, "B": 1}
    worth |= {f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)}
    worth |= {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)}
    assert {unit: parse_quantity(f"1{unit}").value for unit in worth} == worth
    with pytest.raises(UnitError) as raised:
        parse_quantity("1 apple")
    assert set(raised.value.fix.removeprefix("units are ").split()) == {*worth} - {""}
    lengths = [parse_duration(f"1{unit}") for unit in ("ms", "s", "m", "h", "d")]
    assert lengths == [10**6, 10**9, 60 * 10**9, 3600 * 10**9, 86_400 * 10**9]


def test_a_number_has_at_most_eighteen_digits_on_each_side() -> None:
    """Eighteen are read exactly, nineteen are refused."""
    nines = "9" * 18
    assert parse_duration(f"{nines}d") == int(nines) * DAY_NS
    assert parse_percent(f"{nines}.{nines}%") == Fraction(f"{nines}.{nines}") / 100
    assert parse_percent(f".{nines}%") == Fraction(f".{nines}") / 100
    for text in (f"{nines}9", f"1.{nines}9", f".{nines}9"):
        with pytest.raises(UnitError):
            parse_quantity(text)


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("10", Fraction(10), Dimension.NONE),
        ("-2.5", Fraction(-5, 2), Dimension.NONE),
        ("500MB", Fraction(5 * 10**8), Dimension.BYTES),
        ("512MiB", Fraction(2**29), Dimension.BYTES),
        ("1kB", Fraction(1000), Dimension.BYTES),
        ("1KiB", Fraction(1024), Dimension.BYTES),
        ("80%", Fraction(4, 5), Dimension.RATIO),
        ("250ms", Fraction(1, 4), Dimension.SECONDS),
        ("2h", Fraction(7200), Dimension.SECONDS),
    ],
)
def test_quantities(text: str, value: Fraction, dimension: Dimension) -> None:
    """A quantity is in bytes, seconds, a ratio or bare units; decimal and binary multiples differ."""
    found = parse_quantity(text)
    assert (found.value, found.dimension, found.text) == (value, dimension, text)


@pytest.mark.parametrize("text", ["500mb", "1KB", "3d", "10 USD", "MB", ""])
def test_no_quantities(text: str) -> None:
    """Unknown units are refused with the list of the known ones."""
    with pytest.raises(UnitError) as raised:
        parse_quantity(text)
    assert "KiB" in raised.value.fix


@given(st.integers(1, 10**18))
def test_durations_go_round(length: int) -> None:
    """Every length of time has a text that parses back to it."""
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (HOUR_NS, "1h"),
        (90 * SECOND_NS, "90s"),
        (36 * HOUR_NS, "36h"),
        (DAY_NS, "1d"),
        (1_500_000, "1.5ms"),
        (0, "0ms"),
    ],
)
def test_durations_are_printed_short(length: int, text: str) -> None:
    """The largest unit that divides it."""
    assert format_duration(length) == text


@given(st.integers(0, 10**12), st.integers(0, 9))
def test_percentages_go_round(digits: int, places: int) -> None:
    """Every percentage prints as its exact decimal."""
    ratio = Fraction(digits, 10**places) / 100
    assert parse_percent(format_percent(ratio)) == ratio


@given(DECIMALS)
def test_decimal_literals_are_exact(number: Fraction) -> None:
    """The literal of a decimal fraction is that fraction, without an exponent or a needless zero."""
    text = decimal_text(number)
    assert Fraction(text) == number
    assert "e" not in text.lower()
    assert "." not in text or not text.endswith("0")


@pytest.mark.parametrize("denominator", [1, 2**90, 5**40, 10**40])
def test_literals_are_exact_beyond_the_digits_of_a_float(denominator: int) -> None:
    """Powers of 2 and 5 are divided out as integers, however long."""
    number = Fraction(10**39 + 7, denominator)
    assert Fraction(decimal_text(number)) == number


@given(st.fractions())
@example(Fraction(1, 3 * 10**9))
def test_other_fractions_print_their_nearest_float(number: Fraction) -> None:
    """A fraction without a finite decimal prints the shortest literal of its binary64 value, no exponent."""
    assert "e" not in decimal_text(number).lower()
    assert math.isclose(float(Decimal(decimal_text(number))), float(number), rel_tol=1e-15, abs_tol=0.0)


def test_a_third_is_the_shortest_literal_of_its_float() -> None:
    """0.3333333333333333 reads back as the same binary64 number."""
    assert decimal_text(Fraction(1, 3)) == "0.3333333333333333"


def test_seconds_round_once() -> None:
    """400 ms are the float 0.4, as a literal bucket boundary is."""
    assert seconds(400_000_000) == 0.4
    assert seconds(3) == 3e-9


def test_windows_print_as_they_are_written() -> None:
    """A window's text is that of the grammar."""
    assert (str(Rolling(30 * DAY_NS)), str(Period.MONTH)) == ("30d", "month")
