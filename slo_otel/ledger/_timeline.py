"""To which slice a snapshot belongs, and what a wall clock that jumps does to that (DESIGN.md 3, the clock).

The monotonic clock orders the snapshots of a machine; where a later one carries an earlier wall time, the wall
clock stepped back in between.
"""

from __future__ import annotations

from dataclasses import dataclass

from slo_otel.recorder import Snapshot


@dataclass(frozen=True, slots=True)
class Place:
    """Where the events of a snapshot go."""

    end_ns: int
    """The end of their slice, a multiple of the step."""
    reanchored: bool = False
    """The clock stepped back by more than two steps: what lies after `end_ns` never happened."""
    quarantined: bool = False
    """Taken before such a step back, arrived after it: its slice lies in the future."""


class Timeline:
    """Places snapshots in the order they arrive. Not thread-safe: the ledger locks."""

    def __init__(self, step_ns: int) -> None:
        self._step_ns = step_ns
        self._mono_ns: int | None = None
        self._tick_ns = 0
        self.end_ns = 0
        """The end of the newest slice."""

    def place(self, snapshot: Snapshot) -> Place:
        """The slice that ends at the snapshot's tick, or at the next multiple of the step where it is off-tick.

        Back by at most two steps, slices wait: the events join the newest slice. A snapshot that was taken
        before the newest one keeps its own slice.
        """
        step = self._step_ns
        tick = snapshot.taken_wall_ns // step * step
        end = -(-snapshot.taken_wall_ns // step) * step
        if self._mono_ns is not None and snapshot.taken_mono_ns < self._mono_ns:
            return Place(end, quarantined=end - self.end_ns > 2 * step)
        back = 0 if self._mono_ns is None else self._tick_ns - tick
        self._mono_ns = snapshot.taken_mono_ns
        if back > 2 * step:
            self._tick_ns, self.end_ns = tick, end
            return Place(end, reanchored=True)
        self._tick_ns, self.end_ns = max(self._tick_ns, tick), max(self.end_ns, end)
        return Place(self.end_ns)
