"""Rounds, baselines and distributions."""

from __future__ import annotations

import gc
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure import Figure, cpu_ns, garbage, interleaved, named, over, percentile, scaled

VALUES = st.lists(st.floats(0, 1e6), min_size=2, max_size=50)


def test_every_work_runs_once_a_round_and_the_order_rotates() -> None:
    """No variant is always first, and each has as many rounds as the others."""
    order: list[str] = []

    def work(name: str) -> float:
        order.append(name)
        return float(len(order))

    names = ("a", "b", "c")
    found = interleaved({name: lambda name=name: work(name) for name in names}, 3)  # type: ignore[misc]  # a default binds it
    assert order == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert found == {"a": [1.0, 6.0, 8.0], "b": [2.0, 4.0, 9.0], "c": [3.0, 5.0, 7.0]}


def test_between_runs_after_every_round() -> None:
    """What a runtime's thread would do happens outside what is measured."""
    ran: list[str] = []

    def work() -> float:
        ran.append("work")
        return 0.0

    interleaved({"a": work, "b": work}, 2, lambda: ran.append("between"))
    assert ran == ["work", "work", "between"] * 2


def test_no_garbage_is_collected_while_it_is_measured() -> None:
    """A collection that one variant causes is not paid by the next one; where it is asked for, it stays on."""
    seen: list[bool] = []

    def work() -> float:
        seen.append(gc.isenabled())
        return 0.0

    interleaved({"a": work}, 1)
    interleaved({"a": work}, 1, collecting=True)
    assert seen == [False, True]
    assert gc.isenabled()


def test_the_collector_is_on_again_after_a_failure() -> None:
    """A variant that raises leaves the process as it was."""
    with pytest.raises(ZeroDivisionError), garbage(collecting=False):
        raise ZeroDivisionError
    assert gc.isenabled()


def test_the_cost_is_over_the_baseline_of_the_same_round() -> None:
    """A slow round slows the baseline too, which is taken off round by round and not by its median."""
    samples = {"bare": [1.0, 10.0], "ours": [3.0, 13.0], "peer": [5.0, 14.0]}
    assert over(samples, "bare") == {"ours": [2.0, 3.0], "peer": [4.0, 4.0]}


def test_cpu_time_is_divided_by_the_units_of_a_batch() -> None:
    """A batch of ten times the units costs each of them a tenth."""
    done: list[int] = []

    def batch() -> None:
        done.extend(range(1_000))

    assert cpu_ns(batch, 1_000_000_000)() < cpu_ns(batch, 1)()
    assert len(done) == 2_000


def test_names_and_units() -> None:
    """Samples carry their subject, and are turned into another unit value by value."""
    assert named("subject", scaled({"a": [2.0, 4.0]}, 0.5)) == {"subject.a": [1.0, 2.0]}


@given(VALUES)
def test_a_figure_is_the_inclusive_quartiles(values: list[float]) -> None:
    """Median and quartiles are those of the statistics module, in order, within the range of the values."""
    figure = Figure.of(values)
    assert figure.median == statistics.median(values)
    assert min(values) <= figure.q1 <= figure.median <= figure.q3 <= max(values)
    assert figure.count == len(values)


def test_a_single_value_is_its_own_distribution() -> None:
    """What does not vary is measured once."""
    assert Figure.of([7.0]) == Figure(7.0, 7.0, 7.0, 1)


@given(VALUES, st.floats(0, 99.9))
def test_a_percentile_is_a_value_with_few_above_it(values: list[float], percent: float) -> None:
    """It is one of the values, and no more than the rest of the percent lies above it."""
    found = percentile(values, percent)
    assert found in values
    assert sum(value > found for value in values) <= len(values) * (100 - percent) / 100
