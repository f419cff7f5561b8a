"""Nothing is lost, doubled or torn, whatever interrupts a recording."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.recorder.storm import WEATHERS, Storm, StuckError, Target, Weather
from tests.recorder.targets import TARGETS, Streamed, Timed, TwoSteps, Ungated, Waiting, check_grown, check_whole
from tests.stress import LONG, scaled

EVENTS = scaled(1_500, 40_000)
SEEDS = [random.randrange(2**32) for _ in range(3)] if LONG else [1]


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weather", WEATHERS.values(), ids=WEATHERS)
@pytest.mark.parametrize("target", TARGETS)
def test_what_was_given_is_what_is_found(target: Callable[[], Target], weather: Weather, seed: int) -> None:
    """Every bucket and the sum bit for bit; snapshots meanwhile are whole, and nothing in them goes back."""
    storm = Storm(target(), weather, events=EVENTS, seed=seed)
    storm.rage()
    assert bool(storm.alarms) is weather.alarms
    assert bool(storm.finalized) is weather.garbage


@pytest.mark.parametrize(
    ("wrong", "weather", "how"),
    [
        (Ungated, "threads", AssertionError),
        (Ungated, "everything", AssertionError),
        (TwoSteps, "everything", AssertionError),
        (Waiting, "signals", StuckError),
        (Waiting, "finalizers", StuckError),
    ],
)
def test_a_recorder_that_is_wrong_does_not_weather_the_storm(
    wrong: Callable[[], Target], weather: str, how: type[Exception]
) -> None:
    """No gate, a sum in two steps, a fold that waits: a few storms catch each, so a storm can tell."""

    def caught(seed: int) -> bool:
        try:
            Storm(wrong(), WEATHERS[weather], events=2_000, seed=seed).rage()
        except how:
            return True
        return False

    assert any(caught(seed) for seed in range(20))


@pytest.mark.parametrize("target", [Timed, Streamed])
def test_a_snapshot_that_goes_back_is_told_by_any_of_its_numbers(target: Callable[[], Timed]) -> None:
    """The check of a storm's readers fails on a bucket, a zero or a sum alone."""
    one = target()
    for value in (0.0, 0.25, 8.0):
        one.record(value)
    before = one.cell.snapshot()
    one.record(4.0)
    after = one.cell.snapshot()
    check_grown(before, after)
    assert after.duration is not None
    counts, zeros = after.duration.counts, after.duration.zeros
    for wrong in (
        before,
        after._replace(duration=after.duration._replace(counts=(0, *counts[1:]))),
        after._replace(duration=after.duration._replace(zeros=zeros - 1)),
        after._replace(duration=after.duration._replace(sum=0.0)),
        after._replace(duration=after.duration._replace(exponential=())),
    ):
        with pytest.raises(AssertionError):
            check_grown(before if wrong is not before else after, wrong)


@pytest.mark.parametrize("target", [Timed, Streamed])
def test_a_snapshot_put_together_from_two_looks_is_told(target: Callable[[], Timed]) -> None:
    """The check of a storm's readers fails where a count is from later than the buckets, or one histogram is."""
    one = target()
    one.record(0.25)
    before = one.cell.snapshot()
    one.record(8.0)
    after = one.cell.snapshot()
    assert after.duration is not None
    for whole in (before, after):
        check_whole(whole)
    for torn in (
        before._replace(count=after.count),
        after._replace(duration=before.duration),
        after._replace(duration=after.duration._replace(exponential=())),
    ):
        with pytest.raises(AssertionError):
            check_whole(torn)
