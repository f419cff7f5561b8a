"""The values that arrive: one point of one series of one process, and how two of them become one."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Attributes", "Distribution", "Point", "added"]

Attributes = tuple[tuple[str, str], ...]
"""Attribute names and values as text, sorted by name."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The buckets of a histogram point: `counts[i]` are in `(bounds[i-1], bounds[i]]`."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    def at_most(self, bound: float) -> int:
        """How many were at most `bound`, which must be one of `bounds`."""
        return sum(self.counts[: self.bounds.index(bound) + 1])


@dataclass(frozen=True, slots=True)
class Point:
    """The newest point of one series of one process."""

    instance: str
    """`service.instance.id` of the process that sent it."""
    service: str
    scope: str
    """The name of the instrumentation scope."""
    name: str
    unit: str
    kind: str
    """`counter`, `updown`, `gauge`, `histogram` or `exponential`."""
    attributes: Attributes
    start_ns: int
    time_ns: int
    value: int | float
    """The number; of a histogram its count."""
    distribution: Distribution | None = None
    delta: bool = False
    """Whether it says what was new; the receiver adds such points up, since the first one's start."""

    def attribute(self, name: str) -> str | None:
        """The value of one attribute as text, None when the point has none of that name."""
        return dict(self.attributes).get(name)


def added(before: Point, point: Point) -> Point:
    """Two delta points of one series, as one; the newer alone where its buckets are others."""
    distribution = point.distribution
    if distribution is not None and before.distribution is not None:
        if distribution.bounds != before.distribution.bounds:
            return point
        counts = map(sum, zip(before.distribution.counts, distribution.counts, strict=True))
        total = before.distribution.sum + distribution.sum
        distribution = Distribution(distribution.bounds, tuple(counts), total)
    return replace(point, start_ns=before.start_ns, value=before.value + point.value, distribution=distribution)
