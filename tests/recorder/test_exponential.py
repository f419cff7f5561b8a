"""The exponential layout against exact rational arithmetic."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_otel.recorder._exponential import EMPTY, SMALLEST, TOP, Buckets, edge, index_of
from tests.recorder.samples import bucket, exponential

NORMAL = st.floats(min_value=SMALLEST, max_value=sys.float_info.max, allow_subnormal=False)
USUAL = st.floats(min_value=1e-9, max_value=1e6)


@given(NORMAL)
def test_every_double_is_in_the_bucket_that_rational_arithmetic_puts_it_in(value: float) -> None:
    """The index agrees with comparing the eighth power exactly, over the whole range of doubles."""
    assert index_of(value) == bucket(value)


def test_the_last_double_below_an_edge_and_the_first_above_are_in_different_buckets() -> None:
    """An edge belongs to the bucket below it, and the next double to the one above."""
    indices = [*range(-260, 200), -8176, -8170, 8000, TOP]
    lower = [edge(index) for index in indices]
    assert [index_of(math.nextafter(value, math.inf)) for value in lower] == indices
    below = [index_of(value) + 1 for value in lower if value > SMALLEST]
    assert below == [index for index, value in zip(indices, lower, strict=True) if value > SMALLEST]


def test_a_power_of_two_is_the_top_of_its_bucket() -> None:
    """`2^k` is the upper edge of bucket `8k - 1`, which a logarithm in floats gets wrong."""
    for power in range(-1021, 1024):
        assert index_of(2.0**power) == 8 * power - 1
        assert index_of(math.nextafter(2.0**power, math.inf)) == 8 * power


def test_above_the_doubles_there_is_no_edge() -> None:
    """The last bucket ends at infinity, which is counted in it; its lower edge is the last one that is a double."""
    assert (edge(TOP + 1), index_of(math.inf), index_of(sys.float_info.max)) == (math.inf, TOP, TOP)
    assert edge(TOP) < sys.float_info.max


def test_infinity_is_counted_in_the_last_bucket() -> None:
    """Nothing is above the last bucket, so the count stays whole."""
    assert list(EMPTY.plus([sys.float_info.max, math.inf], 0)) == [(TOP, 2)]


@given(st.lists(st.one_of(USUAL, NORMAL), max_size=80), st.lists(st.one_of(USUAL, NORMAL), max_size=80))
def test_values_added_in_two_batches_are_counted_as_by_brute_force(one: list[float], two: list[float]) -> None:
    """Known buckets grow and new ones are put in order, inside and outside of the table of edges."""
    assert EMPTY.plus(sorted(one), 0).plus(sorted(two), 0) == exponential(one + two)


@given(st.lists(st.integers(-262, 170), min_size=1, max_size=60), st.sampled_from([-1, 0, 1]))
def test_values_on_and_beside_the_edges_are_counted_as_by_brute_force(indices: list[int], side: int) -> None:
    """No edge is off by one when many values are spread at once, at either end of the table either."""
    values = [math.nextafter(edge(index), math.inf * side) if side else edge(index) for index in indices]
    assert EMPTY.plus(sorted(values), 0) == exponential(values)


def test_earlier_buckets_do_not_change_when_values_are_added() -> None:
    """What a snapshot holds stays as it was."""
    before = EMPTY.plus([1.0, 2.0], 0)
    kept = tuple(before)
    before.plus([1.0, 1.5, 3.0], 0)
    assert tuple(before) == kept
    assert tuple(EMPTY) == ()


@pytest.mark.parametrize("more", [1, 40])
def test_a_bucket_past_four_bytes_counts_on(more: int) -> None:
    """Four thousand million events in one bucket, and then some: none wraps round, and the others keep theirs."""
    full = 2**32 - 1
    before = Buckets.of([(-9, 3), (-1, full), (7, 5)])
    assert before.counts.itemsize == 4
    after = before.plus([1.0] * more, 0).plus([0.5, 1.0], 0)
    assert after == ((-9, 4), (-1, full + more + 1), (7, 5))
    assert before == ((-9, 3), (-1, full), (7, 5))
    assert Buckets.of(tuple(after)) == after


def test_buckets_compare_hash_and_print_as_the_tuple_they_stand_for() -> None:
    """A reader that expects a tuple of pairs finds one."""
    pairs = ((-3, 2), (5, 1))
    found = Buckets.of(pairs)
    assert found == pairs
    assert pairs == tuple(found)
    assert found == Buckets.of(pairs)
    assert found != Buckets.of(((-3, 2), (5, 2)))
    assert found != Buckets.of(((-3, 2), (6, 1)))
    assert found != ((-3, 2),)
    assert found != Buckets.of(())
    assert found != [(-3, 2), (5, 1)]
    assert hash(found) == hash(pairs)
    assert repr(found) == repr(pairs)
    assert (found[1], found[0:1], len(found)) == ((5, 1), ((-3, 2),), 2)
