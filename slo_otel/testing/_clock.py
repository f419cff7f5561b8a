"""A clock that moves only when told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from slo_otel.clock import Reading
from slo_otel.units import SECOND_NS

_BEGIN_NS: Final = SECOND_NS
"""What `perf` begins with: for those who time, 0.0 is a moment that never was."""


class _Moment(float):
    """A reading of `perf`. Differences are whole nanoseconds: `advance(0.3)` lasts 0.3 s whenever it begins."""

    __slots__ = ()

    def __sub__(self, earlier: float, /) -> float:
        return round(super().__sub__(earlier), 9)


class ManualClock:
    """Wall, monotonic and performance time, moved by hand. Give it to `configure(clock=...)`."""

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        """`start` is wall time in seconds since the epoch; unless given, 2026-01-01 00:00:00 UTC."""
        self._wall_ns = round(start * SECOND_NS)
        self._mono_ns = 0

    @property
    def perf(self) -> Callable[[], float]:
        """The function that times events, in seconds."""
        return self._seconds

    def read(self) -> Reading:
        """Both clocks."""
        return Reading(self._wall_ns, self._mono_ns)

    def advance(self, seconds: float) -> None:
        """Let time pass, on every clock. Events that are open last longer by it."""
        if seconds < 0:
            raise ValueError("monotonic time does not go back; use step_wall for a wall clock that jumps")
        self._mono_ns += round(seconds * SECOND_NS)
        self._wall_ns += round(seconds * SECOND_NS)

    def step_wall(self, seconds: float) -> None:
        """Let the wall clock jump, forward or (negative) back, as when it is corrected. No time passes."""
        self._wall_ns += round(seconds * SECOND_NS)

    def _seconds(self) -> float:
        return _Moment((_BEGIN_NS + self._mono_ns) / SECOND_NS)
