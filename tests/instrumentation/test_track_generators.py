"""Tracked generators: everything passes through, and the event covers first resume to exhaustion."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_otel.instrumentation import activate, track
from slo_otel.plan import Outcome
from tests.instrumentation.events_world import Verdicts, World, world

Step = tuple[str, object]
"""What the consumer does next: send a value, throw an exception, or close."""


class Poke(Exception):  # noqa: N818 - thrown in, not an error
    """What a consumer throws in."""


def talk() -> Generator[object, object, str]:
    """Echoes what it is given, survives a `Poke`, ends on `stop`, fails on `fail`."""
    said: object = "ready"
    while True:
        try:
            said = yield said
        except Poke as poke:
            said = ("poked", str(poke))
        if said == "stop":
            return "bye"
        if said == "fail":
            raise KeyError(said)


async def talk_async() -> AsyncGenerator[object, object]:
    """The same without a return value."""
    said: object = "ready"
    while True:
        await asyncio.sleep(0)
        try:
            said = yield said
        except Poke as poke:
            said = ("poked", str(poke))
        if said == "stop":
            return
        if said == "fail":
            raise KeyError(said)


def play(generator: Generator[object, object, str], steps: list[Step]) -> list[object]:
    """Everything a consumer sees: items, the return value, exceptions by class and text."""
    seen: list[object] = []
    for word, value in [("send", None), *steps]:
        try:
            if word == "close":
                generator.close()
                seen.append("closed")
            elif word == "throw":
                seen.append(generator.throw(cast("BaseException", value)))
            else:
                seen.append(generator.send(value))
        except BaseException as fault:  # noqa: BLE001 - compared by the test
            seen.append((type(fault), str(fault), getattr(fault, "value", None)))
    return seen


async def play_async(generator: AsyncGenerator[object, object], steps: list[Step]) -> list[object]:
    """The same for an async generator."""
    seen: list[object] = []
    for word, value in [("send", None), *steps]:
        try:
            if word == "close":
                await generator.aclose()
                seen.append("closed")
            elif word == "throw":
                seen.append(await generator.athrow(cast("BaseException", value)))
            else:
                seen.append(await generator.asend(value))
        except BaseException as fault:  # noqa: BLE001 - compared by the test
            seen.append((type(fault), str(fault)))
    return seen


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(["a", "b", None, "stop", "fail"])),
        st.tuples(st.just("throw"), st.sampled_from([Poke("x"), ValueError("y"), StopIteration("z")])),
        st.tuples(st.just("close"), st.none()),
    ),
    max_size=6,
)


@pytest.mark.parametrize("running", [True, False])
@given(steps)
def test_a_consumer_sees_the_generator_as_it_would_without_track(running: bool, taken: list[Step]) -> None:
    """Items, sent values, thrown exceptions, return values and closing, with a runtime and without one."""
    with world():
        if not running:
            activate(None)
        assert play(track("money")(talk)(), taken) == play(talk(), taken)


@pytest.mark.parametrize("running", [True, False])
@settings(max_examples=40)
@given(steps)
def test_a_consumer_sees_the_async_generator_as_it_would_without_track(running: bool, taken: list[Step]) -> None:
    """The same for `asend`, `athrow` and `aclose`."""

    async def both() -> tuple[list[object], list[object]]:
        return await play_async(track("money")(talk_async)(), taken), await play_async(talk_async(), taken)

    with world():
        if not running:
            activate(None)
        tracked, bare = asyncio.run(both())
        assert tracked == bare


@given(steps)
def test_a_generator_is_one_event_however_it_is_used(taken: list[Step]) -> None:
    """Once it has begun: exhausted, failed, closed or abandoned, it is counted exactly once."""
    with world() as w:
        generator = track("money")(talk)()
        play(generator, taken)
        generator.close()
        assert w.total() == 1


def test_a_generator_that_never_began_is_no_event() -> None:
    """Making it runs nothing of it."""
    with world() as w:
        track("money")(talk)().close()
        assert w.total() == 0


ENDINGS: dict[str, tuple[list[Step], Outcome, Verdicts]] = {
    "exhausted": ([("send", "stop")], Outcome.SUCCESS, Verdicts(good=1)),
    "failed": ([("send", "fail")], Outcome.EXCEPTION, Verdicts(bad=1)),
    "thrown into": ([("throw", ValueError())], Outcome.EXCEPTION, Verdicts(bad=1)),
    "timed out": ([("throw", TimeoutError())], Outcome.TIMEOUT, Verdicts(bad=1)),
    "cancelled": ([("throw", asyncio.CancelledError())], Outcome.CANCELLED, Verdicts(bad=1)),
    "closed early": ([("close", None)], Outcome.CANCELLED, Verdicts(excluded=1)),
    "told and exhausted": ([("throw", Poke()), ("send", "stop")], Outcome.SUCCESS, Verdicts(good=1)),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_each_way_to_end_has_its_outcome(kind: str, ending: str) -> None:
    """Closed early is the consumer's cancellation, which is excluded before the time is up; the rest by kind."""
    taken, outcome, verdicts = ENDINGS[ending]
    with world() as w:
        if kind == "sync":
            play(track("money")(talk)(), taken)
        else:
            asyncio.run(play_async(track("money")(talk_async)(), taken))
        assert w.only().key.outcome is outcome
        assert w.verdicts("money") == verdicts


def test_a_consumer_that_leaves_after_the_time_was_up_counts_as_bad() -> None:
    """`cancelled` is bad once the event lasted longer than the policy allows (10 s by default)."""
    with world() as w:
        generator = track("money")(talk)()
        next(generator)
        w.clock.now += 11
        generator.close()
        assert w.verdicts("money") == Verdicts(bad=1)


def test_an_abandoned_generator_ends_when_it_is_collected() -> None:
    """`break` out of a loop: the event closes with the generator object."""
    with world() as w:
        for _ in track("money")(talk)():
            break
        gc.collect()
        assert w.only().key.outcome is Outcome.CANCELLED


def test_an_abandoned_async_generator_is_a_cut_and_no_server_cancellation() -> None:
    """The loop closes what was collected: its consumer has gone."""

    async def consume() -> None:
        async for _ in track("money")(talk_async)():
            break

    async def main(w: World) -> None:
        await consume()
        gc.collect()
        for _ in range(1000):
            if w.total():
                break
            await asyncio.sleep(0)

    with world() as w:
        asyncio.run(main(w))
        key = w.only().key
        assert (key.outcome, key.by_server) == (Outcome.CANCELLED, False)


def test_a_closing_that_is_cancelled_is_still_a_cut() -> None:
    """The clean-up of an async generator waits, and the loop that ends cancels it: the consumer had gone before."""

    @track("money")
    async def slow_to_close() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.Event().wait()

    async def main() -> None:
        generator = slow_to_close()
        await anext(generator)
        closing = asyncio.ensure_future(generator.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing

    with world() as w:
        asyncio.run(main())
        key = w.only().key
        assert (key.outcome, key.by_server) == (Outcome.CANCELLED, False)


def timed_items(w: World) -> Generator[int, None, None]:
    """A quarter second of work before each item and at the end."""
    for number in range(3):
        w.clock.now += 0.25
        yield number
    w.clock.now += 0.25


async def timed_items_async(w: World) -> AsyncGenerator[int, None]:
    """The same."""
    for number in timed_items(w):
        yield number


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_generator_is_timed_from_its_first_resume_to_exhaustion(kind: str) -> None:
    """Not its making, and not before the first item is asked for; the consumer's time between items counts."""
    with world() as w:
        if kind == "sync":
            _drain_slowly(w, track("money")(timed_items))
        else:
            asyncio.run(_drain_slowly_async(w, track("money")(timed_items_async)))
        duration = w.only().duration
        assert duration is not None
        assert duration.sum == 4 * 0.25 + 3 * 0.5


def _drain_slowly(w: World, make: Callable[[World], Generator[int, None, None]]) -> None:
    generator = make(w)
    w.clock.now += 5
    for _ in generator:
        w.clock.now += 0.5


async def _drain_slowly_async(w: World, make: Callable[[World], AsyncGenerator[int, None]]) -> None:
    generator = make(w)
    w.clock.now += 5
    async for _ in generator:
        w.clock.now += 0.5


def test_a_generator_that_fails_while_it_is_closed_says_so() -> None:
    """A fault in its clean-up is an exception and no cancellation."""

    @track("money")
    def untidy() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            raise KeyError

    with world() as w:
        generator: Any = untidy()
        next(generator)
        with pytest.raises(KeyError):
            generator.close()
        assert w.only().key.outcome is Outcome.EXCEPTION
