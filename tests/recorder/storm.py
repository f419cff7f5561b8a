"""A storm: everything that may interrupt a recording, one by one or at once, and what was given while it raged.

Threads record at a switch interval of a microsecond; others take snapshots; a real timer's signal handler records
into what it interrupted; so do finalizers, which the garbage collector runs in the middle of anything. What is
stormed says how it records (`Target`), and whether what came out is what was given.
"""

from __future__ import annotations

import gc
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final, Protocol

BURST: Final = 70
"""Values that one interruption records: past a new cell's limit, so it folds within whatever it interrupted."""
GARBAGE_EVERY: Final = 64
GROWTHS: Final = 2_000
"""How often a thread keeps a few objects at most: every collection looks at all of them."""


class StuckError(Exception):
    """A recording waited for somebody who cannot go on before it returns."""


class Target(Protocol):
    """What is recorded into."""

    def record(self, value: float) -> None:
        """Take one value."""

    def look(self) -> None:
        """Read as a reader would; raises `AssertionError` when what is read is not whole, or went back."""

    def settle(self, given: list[float]) -> None:
        """Read for the last time; raises `AssertionError` when it is not exactly what was given."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes on at once."""

    threads: int = 1
    """Those that record. The main thread is one of them, since only it runs signal handlers."""
    readers: int = 0
    alarms: bool = False
    garbage: bool = False


WEATHERS: Final = {
    "threads": Weather(threads=8),
    "readers": Weather(threads=8, readers=2),
    "signals": Weather(readers=1, alarms=True),
    "finalizers": Weather(readers=1, garbage=True),
    "everything": Weather(threads=8, readers=1, alarms=True, garbage=True),
}


def values_of(seed: int, events: int) -> list[float]:
    """Durations whose sums are exact in any order: multiples of 2^-12 s, some on bounds, some past every table."""
    source = random.Random(seed)
    odd = (0.0, 0.25, 0.5, 1.0, 2.5, 7.5, 10.0, 2.0**21)
    return [
        source.choice(odd) if source.random() < 0.05 else source.randrange(2**14) / 2**12 for _ in range(events)
    ]


class Storm:
    """One storm over one target."""

    def __init__(self, target: Target, weather: Weather, *, events: int, seed: int) -> None:
        self._target = target
        self._weather = weather
        self._events = events
        self._seed = seed
        self._given: list[float] = []
        self._faults: list[BaseException] = []
        self._made: list[None] = []
        self._gone: list[None] = []
        self._kept: list[object] = []
        self.alarms = 0
        """How often a signal handler ran."""
        self.finalized = 0
        """How many finalizers ran while it raged."""

    def rage(self) -> None:
        """Let it, and then judge. Raises what the target raised, or `AssertionError` when something is missing."""
        with ExitStack() as stack:
            stack.enter_context(switching(1e-6))
            if self._weather.garbage:
                stack.enter_context(_collecting())
            if self._weather.alarms:
                stack.enter_context(alarms(self._interrupt))
                alarm_in(0.0002)
            self._record_and_read()
            self.finalized = len(self._gone)
        self._sweep()
        if self._faults:
            raise self._faults[0]
        self._target.settle(self._given)

    def _record_and_read(self) -> None:
        start = threading.Barrier(self._weather.threads + self._weather.readers)
        recording = threading.Event()
        recording.set()
        others = [threading.Thread(target=self._record, args=(start, at)) for at in range(1, self._weather.threads)]
        readers = [
            threading.Thread(target=self._read, args=(start, recording)) for _ in range(self._weather.readers)
        ]
        for thread in others + readers:
            thread.start()
        self._record(start, 0)
        for thread in others:
            thread.join()
        recording.clear()
        for thread in readers:
            thread.join()

    def _record(self, start: threading.Barrier, at: int) -> None:
        values = values_of(self._seed + at, self._events)
        start.wait()
        for number, value in enumerate(values):
            if not self._give(value):
                return
            if self._weather.garbage:
                self._litter(number)

    def _litter(self, number: int) -> None:
        """Garbage now and then; and some that is kept, since a free-threaded build only looks at growth.

        It collects in the thread that has 512 objects more than at its last count, however many came and went. What
        is made on the way through a fold is what brings a growing thread there, so that is where it collects.
        """
        if number % GARBAGE_EVERY == 0:
            self._made.append(None)
            _Garbage(self._burst_of_garbage)
        if number % max(1, self._events // GROWTHS) == 0:
            self._kept.append([[], [], [], []])

    def _read(self, start: threading.Barrier, recording: threading.Event) -> None:
        start.wait()
        while recording.is_set() and not self._faults:
            self._watch(self._target.look)

    def _give(self, value: float) -> bool:
        """Record one value, and remember it; False once the target has failed."""
        done = not self._faults and self._watch(lambda: self._target.record(value))
        if done:
            self._given.append(value)
        return done

    def _watch(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except (AssertionError, StuckError) as fault:
            self._faults.append(fault)
            return False
        return True

    def _burst_of_garbage(self) -> None:
        self._burst(0.25)
        self._gone.append(None)

    def _burst(self, value: float) -> None:
        for _ in range(BURST):
            if not self._give(value):
                return

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """A signal handler. It sets the next alarm itself, so that none is interrupted without end."""
        self.alarms += 1
        self._burst(0.5)
        self._watch(self._target.look)
        if not self._faults:
            alarm_in(0.0002)

    def _sweep(self) -> None:
        """Collect what is left. Another thread may be collecting just now; then `collect` returns at once."""
        deadline = time.monotonic() + 60
        while len(self._gone) < len(self._made) and time.monotonic() < deadline:
            gc.collect()


class _Garbage:
    """Refers to itself, so that only the garbage collector finds it, wherever that happens to run."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._me = self
        self._end = end

    def __del__(self) -> None:
        self._end()


@contextmanager
def alarms(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Alarms of a real timer go to `handler`, in the main thread; the test runner's own timer is given back."""
    assert threading.current_thread() is threading.main_thread()
    before, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        alarm_in(0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def alarm_in(delay: float) -> None:
    """One alarm, after so many seconds; 0 calls it off."""
    signal.setitimer(signal.ITIMER_REAL, delay)


@contextmanager
def switching(interval: float) -> Iterator[None]:
    """Threads take turns after so many seconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def _collecting() -> Iterator[None]:
    """Collect every few allocations, without what is there already: to look at all of it takes 0.1 s.

    For free-threaded builds there is a 0, since they would wait until there is a quarter more than there was, and a
    second collection, which finds nothing: all that the first one finds would have to grow again before the next.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.collect()
    gc.set_threshold(20, 0, 3)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
