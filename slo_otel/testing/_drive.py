"""Ticks by hand."""

from __future__ import annotations

from slo_otel.runtime import Handle
from slo_otel.testing._clock import ManualClock
from slo_otel.units import SECOND_NS


def advance(handle: Handle, clock: ManualClock, seconds: float) -> None:
    """Let `seconds` pass for a handle that was configured with `clock`, with every tick in them at its time."""
    left_ns = round(seconds * SECOND_NS)
    step_ns = handle.plan.step_ns if handle.plan is not None else left_ns or 1
    while left_ns > 0:
        leap_ns = min(left_ns, step_ns - clock.read().wall_ns % step_ns)
        clock.advance(leap_ns / SECOND_NS)
        handle._tick()
        left_ns -= leap_ns
