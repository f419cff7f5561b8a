"""Time: monotonic for durations, wall for slices, and the rules for a wall clock that jumps.

One reading is taken per tick and handed down; no stage below the runtime asks a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class Reading(NamedTuple):
    """One moment on both clocks, in integer nanoseconds."""

    wall_ns: int
    mono_ns: int


class Clock(Protocol):
    """What the runtime injects. `perf` (float seconds, monotonic) is called twice per event."""

    @property
    def perf(self) -> Callable[[], float]:
        """The function that times events: seconds, monotonic, cheap."""

    def read(self) -> Reading:
        """Both clocks, read together."""


class SystemClock:
    """The clocks of the machine."""

    perf = staticmethod(time.perf_counter)

    def read(self) -> Reading:
        """Wall time since the epoch and monotonic time, in nanoseconds."""
        return Reading(time.time_ns(), time.monotonic_ns())


class Jump(StrEnum):
    """What a tick found the wall clock to have done since the last one."""

    NONE = "none"
    WAITS = "waits"
    """Back by at most two steps: no tick until the wall clock has caught up."""
    REANCHORED = "reanchored"
    """Back by more: ticks go on at the new time; slices later than now are quarantined."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of the step, or the reason why there is none yet."""

    at_ns: int | None
    """The wall time of the tick, a multiple of the step; None while slices wait."""
    jump: Jump
    late: bool
    """More than one step passed since the last tick: the slice holds the events of all of them."""


class Ticker:
    """Turns readings into ticks `k * step`, each once (DESIGN.md 3, the clock).

    Without a step back the ticks ascend. Back by at most two steps (seen from the last tick) there is no tick until
    the wall clock has passed the last one again; back by more, ticks start over at the new time, once. The first
    tick after a pause of either kind, or after a jump forward, is `late`: its slice holds more than one step.

    Not thread-safe: the runtime's thread owns it.
    """

    def __init__(self, step_ns: int) -> None:
        self._step_ns = step_ns
        self._last_ns: int | None = None
        self._waited = False

    def tick(self, now_ns: int) -> Tick | None:
        """The tick that is due at wall time `now_ns`, or None when the last one still holds."""
        floor = now_ns - now_ns % self._step_ns
        last = self._last_ns
        if last is None:
            return self._due(floor, Jump.NONE, late=False)
        if floor == last:
            return None
        if floor > last:
            return self._due(floor, Jump.NONE, late=floor - last > self._step_ns or self._waited)
        if last - floor > 2 * self._step_ns:
            return self._due(floor, Jump.REANCHORED, late=self._waited)
        self._waited = True
        return Tick(None, Jump.WAITS, late=False)

    def _due(self, at_ns: int, jump: Jump, *, late: bool) -> Tick:
        self._last_ns, self._waited = at_ns, False
        return Tick(at_ns, jump, late=late)

    def wait_ns(self, now_ns: int) -> int:
        """Nanoseconds until the next multiple of the step."""
        return self._step_ns - now_ns % self._step_ns
