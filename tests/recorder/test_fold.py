"""Folding batches against brute force."""

from __future__ import annotations

import math
import sys
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_otel.recorder import HTTP_BOUNDS, Histogram
from slo_otel.recorder._exponential import EMPTY, SCALE, SMALLEST, Buckets, edge
from slo_otel.recorder._few import few
from slo_otel.recorder._fold import added
from tests.recorder.samples import explicit, exponential

BOUNDS = tuple(sorted({*HTTP_BOUNDS, 0.2, 0.4}))
CUTS = (0.4, 5.0)
PLAIN = Histogram(BOUNDS, (0,) * (len(BOUNDS) + 1), 0.0, SCALE, EMPTY, 0)
CUT = PLAIN._replace(sums=(0.0, 0.0, 0.0), cuts=CUTS)
"""A few values go into it in the way for many; into `PLAIN` one by one."""

# Dyadic rationals of few bits: any sum of them is exact, so sums are compared bit for bit.
EXACT = st.integers(0, 2**20).map(lambda n: n / 2**14)
BESIDE = st.sampled_from(BOUNDS).flatmap(
    lambda bound: st.sampled_from([bound, math.nextafter(bound, 0.0), math.nextafter(bound, math.inf)])
)
EDGES = st.integers(-260, 180).flatmap(
    lambda index: st.sampled_from([edge(index), math.nextafter(edge(index), 0.0), math.nextafter(edge(index), 1e9)])
)
TINY = [0.0, -0.0, 5e-324, math.nextafter(SMALLEST, 0.0), SMALLEST, math.nextafter(SMALLEST, 1.0), 2.0**-40]
HUGE = [2.0**15, 2.0**20, math.nextafter(2.0**20, math.inf), 1e300]
ODD = st.sampled_from([*TINY, *HUGE])
ANY = st.one_of(EXACT, BESIDE, EDGES, ODD, st.floats(min_value=0, max_value=100))


def fold(batches: list[list[float]], state: Histogram = CUT) -> Histogram:
    """The histogram after each batch in turn."""
    for batch in batches:
        state = added(state, list(batch))
    return state


def check_counts(found: Histogram, values: list[float]) -> None:
    """Every count, against linear search and rational arithmetic."""
    assert found.counts == explicit(BOUNDS, values)
    assert found.zeros == sum(value < SMALLEST for value in values)
    assert found.exponential == exponential(value for value in values if value >= SMALLEST)
    assert sum(found.counts) == len(values)


@pytest.mark.soak
@pytest.mark.parametrize("zero", [PLAIN, CUT], ids=["plain", "cut"])
@given(batches=st.lists(st.lists(ANY, max_size=40), max_size=4))
def test_any_batches_count_as_by_brute_force(zero: Histogram, batches: list[list[float]]) -> None:
    """Values on and beside every bound and edge, zero, subnormal, tiny and huge land where they belong."""
    check_counts(fold(batches, zero), [value for batch in batches for value in batch])


@pytest.mark.soak
@given(st.lists(st.lists(st.one_of(EXACT, BESIDE, EDGES), max_size=15), max_size=6))
def test_few_values_go_in_one_by_one_as_they_do_sorted(batches: list[list[float]]) -> None:
    """Both ways give the same counts and buckets, and sums that differ by no more than the order of additions."""
    one_by_one, sorted_ = fold(batches, PLAIN), fold(batches, CUT)
    assert one_by_one._replace(sum=0.0, sums=(), cuts=()) == sorted_._replace(sum=0.0, sums=(), cuts=())
    assert math.isclose(one_by_one.sum, sorted_.sum, rel_tol=1e-12)


def test_a_few_usual_values_need_no_sorting() -> None:
    """The way for few answers by itself, into buckets that are there and into new ones, in any order."""
    found, values = PLAIN, [1.5, 0.25, 0.375, 0.25]
    for _ in range(2):
        again = few(found, values)
        assert again is not None
        found = again
    check_counts(found, values * 2)
    assert found == PLAIN._replace(counts=found.counts, sum=sum(values * 2), exponential=found.exponential)


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 64, 1023, 1024])
def test_batches_of_every_size_count_alike(size: int) -> None:
    """The way for few values and the way for many agree with brute force on values at the bounds."""
    edges = [*BOUNDS, *(math.nextafter(bound, math.inf) for bound in BOUNDS), 0.0, *map(edge, range(-80, 30))]
    values = (edges * 10)[:size]
    for zero in (PLAIN, CUT):
        check_counts(fold([values], zero), values)
        check_counts(fold([[value] for value in values], zero), values)


@pytest.mark.soak
@given(st.lists(st.lists(EXACT, max_size=40), max_size=4))
def test_sums_of_representable_values_are_exact_bit_for_bit(batches: list[list[float]]) -> None:
    """The sum, and the sums between the cuts, are those of the values."""
    values = [value for batch in batches for value in batch]
    found = fold(batches)
    low, high = CUTS
    assert found.sum == fold(batches, PLAIN).sum == math.fsum(values)
    assert found.sums == (
        math.fsum(value for value in values if value <= low),
        math.fsum(value for value in values if low < value <= high),
        math.fsum(value for value in values if value > high),
    )


@given(st.permutations([0.005, 0.4, math.nextafter(0.4, 1), 5.0, 0.0, 20.0, 0.3]))
def test_order_does_not_matter(values: list[float]) -> None:
    """The same values in any order and split give the same counts."""
    assert fold([values]).counts == fold([values[:3], values[3:]]).counts
    check_counts(fold([values]), values)


class Vague:
    """Neither above nor below anything, as an array of several numbers."""

    def __repr__(self) -> str:
        return "vague"

    def __lt__(self, other: object) -> bool:
        raise ValueError

    def __gt__(self, other: object) -> bool:
        raise ValueError


BROKEN: list[object] = [math.nan, math.inf, -math.inf, -1.0, -5e-324, 10**400, None, "0.1s", "nan", Vague()]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: repr(broken)[:9])
@pytest.mark.parametrize("others", [0, 3, 40])
@pytest.mark.parametrize("zero", [PLAIN, CUT], ids=["plain", "cut"])
def test_what_is_no_duration_is_counted_and_breaks_nothing(broken: object, others: int, zero: Histogram) -> None:
    """Negative is 0, the rest is above every bound; the values beside it and the sums keep theirs."""
    found = fold([[0.25] * others + [cast("float", broken)] + [0.5] * others], zero)
    negative = isinstance(broken, float) and broken < 0
    assert sum(found.counts) == 2 * others + 1
    assert found.zeros == (1 if negative else 0)
    assert found.counts[-1] == (0 if negative else 1)
    assert found.at_most(0.25) == others + (1 if negative else 0)
    assert found.sum == 0.75 * others
    assert found.sums == () or sum(found.sums) == found.sum
    assert sum(count for _, count in found.exponential) + found.zeros == 2 * others + 1


def test_integers_are_durations_too() -> None:
    """A clock that returns whole seconds gives floats in the sums."""
    for found in (fold([[1, 2, 3]]), fold([[1, 2, 3]], PLAIN)):
        assert (found.sum, type(found.sum)) == (6.0, float)


@pytest.mark.parametrize("size", [1, 40])
def test_a_histogram_past_four_bytes_a_bucket_counts_on(size: int) -> None:
    """Few values and many, each where the bucket is full."""
    before = PLAIN._replace(exponential=Buckets.of([(-9, 2**32 - 1)]))
    assert fold([[0.5] * size, [0.5, 1.0]], before).exponential == ((-9, 2**32 + size), (-1, 1))


def test_a_sum_past_the_doubles_stays_at_the_largest_one() -> None:
    """Infinity in a cumulative sum could never be left again."""
    huge = sys.float_info.max
    found = fold([[huge], [huge, huge], [1.0]])
    assert found.sum == huge
    assert found.sums[-1] == huge
    assert found.counts[-1] == 3
    assert found.at_most(1.0) == 1


def test_folding_changes_neither_the_state_nor_a_histogram_of_plain_tuples() -> None:
    """A reader's snapshot stays as it was, and one made by hand can be added to."""
    plain = Histogram((1.0,), (1, 0), 0.5, SCALE, ((-9, 1),), 0)
    after = added(plain, [0.5, 2.0])
    assert (plain.counts, plain.sum, plain.exponential) == ((1, 0), 0.5, ((-9, 1),))
    assert (after.counts, after.sum, after.exponential) == ((2, 1), 3.0, ((-9, 2), (7, 1)))
    assert added(plain, cast("list[float]", [])) is plain
