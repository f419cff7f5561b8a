"""The last value of every gauge that code pushed."""

from __future__ import annotations

from slo_otel.recorder._journal import Attributes
from slo_otel.recorder._snapshot import GaugePoint


class Gauges:
    """By name and attributes. Storing and copying a dict are atomic, and a value and its time are one object."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._points: dict[tuple[str, Attributes], GaugePoint] = {}

    def set(self, point: GaugePoint) -> bool:
        """Keep the value; False when it is a new series past the limit."""
        at = (point.name, point.attributes)
        if at not in self._points and len(self._points) >= self._most:
            return False
        self._points[at] = point
        return True

    def read(self) -> tuple[GaugePoint, ...]:
        """Every gauge, in the order of first arrival."""
        return tuple(self._points.copy().values())

    def restart(self) -> None:
        """Empty, in the child of a fork: the parent goes on telling what it was told."""
        self._points.clear()
