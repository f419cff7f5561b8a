"""The last value of every gauge that code pushed."""

from __future__ import annotations

from slo_otel.recorder._budget import Permits
from slo_otel.recorder._journal import Attributes
from slo_otel.recorder._snapshot import GaugePoint


class Gauges:
    """By name and attributes. Storing and copying a dict are atomic, and a value and its time are one object.

    There are never more than `most`, since each has a permit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._permits = Permits([1] * most)
        self._points: dict[tuple[str, Attributes], GaugePoint] = {}

    def set(self, point: GaugePoint) -> bool:
        """Keep the value; False when it is a new series past the limit."""
        at = (point.name, point.attributes)
        if at not in self._points and not self._admit(at, point):
            return False
        self._points[at] = point
        return True

    def _admit(self, at: tuple[str, Attributes], point: GaugePoint) -> bool:
        permit = self._permits.take()
        if permit is None:
            return at in self._points
        if self._points.setdefault(at, point) is not point:
            self._permits.give_back(permit)
        return True

    def read(self) -> tuple[GaugePoint, ...]:
        """Every gauge, in the order of first arrival."""
        return tuple(self._points.copy().values())

    def restart(self) -> None:
        """Empty, in the child of a fork: the parent goes on telling what it was told."""
        self._points.clear()
        self._permits = Permits([1] * self._most)
