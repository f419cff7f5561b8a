"""Ticks: multiples of the step, each once, whatever the wall clock does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slo_otel.clock import Jump, SystemClock, Tick, Ticker
from slo_otel.units import SECOND_NS

STEP = 15 * SECOND_NS
BASE = 1_750_000_500 * SECOND_NS


def at(steps: float) -> int:
    """A wall time, in steps from a fixed tick."""
    return BASE + round(steps * STEP)


def test_the_first_reading_ticks_at_the_step_before_it() -> None:
    """The first tick is the multiple of the step at or before now, and it is not late."""
    assert Ticker(STEP).tick(at(0.9)) == Tick(at(0), Jump.NONE, late=False)


def test_a_tick_is_given_once() -> None:
    """Within one step there is one tick, the next comes exactly at the next multiple."""
    ticker = Ticker(STEP)
    ticker.tick(at(0))
    assert ticker.tick(at(0.999)) is None
    assert ticker.tick(at(1)) == Tick(at(1), Jump.NONE, late=False)
    assert ticker.tick(at(1)) is None


def test_a_jump_forward_is_one_late_tick() -> None:
    """Skipped steps are not made up: one tick at the new time, marked late; then as usual."""
    ticker = Ticker(STEP)
    ticker.tick(at(0))
    assert ticker.tick(at(240.5)) == Tick(at(240), Jump.NONE, late=True)
    assert ticker.tick(at(241)) == Tick(at(241), Jump.NONE, late=False)


def test_back_by_two_steps_waits_and_the_tick_after_it_is_late() -> None:
    """Back by exactly two steps nothing ticks until the last tick is passed; that slice holds the waiting too."""
    ticker = Ticker(STEP)
    ticker.tick(at(10))
    waiting = Tick(None, Jump.WAITS, late=False)
    assert [ticker.tick(at(steps)) for steps in (8, 8.5, 9)] == [waiting] * 3
    assert ticker.tick(at(10.2)) is None
    assert ticker.tick(at(11)) == Tick(at(11), Jump.NONE, late=True)
    assert ticker.tick(at(12)) == Tick(at(12), Jump.NONE, late=False)


def test_back_by_more_than_two_steps_reanchors_once() -> None:
    """One nanosecond beyond two steps the ticks start over at the new time, and the report comes once."""
    ticker = Ticker(STEP)
    ticker.tick(at(10))
    assert ticker.tick(at(8) - 1) == Tick(at(7), Jump.REANCHORED, late=False)
    assert ticker.tick(at(7.9)) is None
    assert ticker.tick(at(8)) == Tick(at(8), Jump.NONE, late=False)


def test_waiting_and_then_further_back_reanchors_late() -> None:
    """A clock that goes back twice waits, then re-anchors with a slice that holds the waiting too."""
    ticker = Ticker(STEP)
    ticker.tick(at(10))
    ticker.tick(at(9))
    assert ticker.tick(at(3)) == Tick(at(3), Jump.REANCHORED, late=True)


MOVES = st.integers(-4 * STEP, 4 * STEP) | st.integers(-400 * STEP, 400 * STEP)


@given(st.lists(MOVES, max_size=60))
def test_on_any_walk_ticks_are_multiples_and_repeat_only_after_reanchoring(moves: list[int]) -> None:
    """On random clock walks a tick is the multiple of the step before now, and ascends unless re-anchored."""
    ticker, now, last = Ticker(STEP), BASE, None
    for move in moves:
        now += move
        tick = ticker.tick(now)
        if tick is None:
            assert last is not None
            assert now - now % STEP == last
        elif tick.at_ns is None:
            assert last is not None
            assert tick.jump is Jump.WAITS
            assert 0 < last - (now - now % STEP) <= 2 * STEP
        else:
            assert tick.at_ns % STEP == 0
            assert 0 <= now - tick.at_ns < STEP
            back = last is not None and tick.at_ns < last - 2 * STEP
            assert (tick.jump is Jump.REANCHORED) is back
            assert back or last is None or tick.at_ns > last
            last = tick.at_ns


@given(st.integers(0, 10**19))
def test_waiting_ends_on_the_next_multiple(now: int) -> None:
    """The wait is positive, at most a step, and ends on a multiple of it."""
    wait = Ticker(STEP).wait_ns(now)
    assert 0 < wait <= STEP
    assert (now + wait) % STEP == 0


def test_the_system_clock_goes_on() -> None:
    """Both readings and the event timer never go back between two calls."""
    clock = SystemClock()
    before, after = clock.read(), clock.read()
    assert after.mono_ns >= before.mono_ns
    assert clock.perf() <= clock.perf()
