"""Exact numbers: from text to fraction and back, without a float in between."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
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
    [("99.5", "99.5%"), ("0.995", "99.5%, or 0.995%"), ("1", "1%"), ("99,5%", "99.5%"), ("", "99.5%")],
)
def test_no_percentages(text: str, fix: str) -> None:
    """A number without its sign is refused; a bare one gets the sign, one below 1 is likelier the ratio."""
    with pytest.raises(UnitError) as raised:
        parse_percent(text)
    assert fix in raised.value.fix


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


@given(st.fractions())
def test_other_fractions_print_their_nearest_float(number: Fraction) -> None:
    """A fraction without a finite decimal prints the shortest literal of its binary64 value."""
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
