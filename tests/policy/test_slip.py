"""A slip of the keyboard, against the distance of two words by its definition."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slo_otel.policy._slip import slip_of

MEANT = st.text("abs", min_size=4, max_size=7)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """A word, and what becomes of it when one or two of its parts are written anew."""
    meant = word = draw(MEANT)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(word)))
        word = word[:at] + draw(st.text("abs", max_size=2)) + word[at + draw(st.integers(0, 2)) :]
    return word or "a", meant


@cache
def distance(one: str, other: str) -> int:
    """Letters added, removed, changed, or swapped with the next one, at the least."""
    if not one or not other:
        return len(one) + len(other)
    changed = distance(one[1:], other[1:]) + (one[0] != other[0])
    found = min(changed, 1 + distance(one[1:], other), 1 + distance(one, other[1:]))
    swapped = len(one) > 1 and one[:2] == other[1::-1]
    return min(found, 1 + distance(one[2:], other[2:])) if swapped else found


@given(pairs())
@example(("abbas", "abba"))
@example(("abbab", "abba"))
@example(("abab", "abba"))
@example(("absaa", "abbba"))
@example(("babba", "abba"))
def test_a_slip_is_one_step_away_and_neither_at_the_beginning_nor_a_longer_word(pair: tuple[str, str]) -> None:
    """Exactly the words at distance 1 that begin alike; of those that go on, the plural alone."""
    word, meant = pair
    goes_on = word[:-1] == meant and not word.endswith("s")
    near = word[0] == meant[0] and distance(word, meant) == 1 and not goes_on
    assert slip_of(word, (meant,)) == (meant if near else None)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("lap_1", "lap_2"), ("lap", "lap1"), ("cas", "car"), ("a" * 102, "a" * 101), ("tier", "tier")],
)
def test_what_may_well_be_meant_is_no_slip(word: str, meant: str) -> None:
    """A number, a word of three letters, one that nobody types, and the word itself."""
    assert slip_of(word, (meant,)) is None


def test_the_word_is_given_as_it_is_known() -> None:
    """Whatever the case of either."""
    assert slip_of("REASON", ("plan", "Reason")) == "Reason"
