"""prometheus_client. The version is the newest that autometrics allows; 0.26 costs the same within noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Protocol, cast

LABELS = {"method": "GET", "route": "/r/0", "status": "200", "scheme": "http"}


class Child(Protocol):
    """A histogram of one set of label values."""

    def observe(self, amount: float) -> None:
        """Add one value."""


class Histogram(Protocol):
    """A labelled histogram."""

    def labels(self, *values: str) -> Child:
        """The child of these values, made when new."""


class Registry(Protocol):
    """Where histograms are found again."""

    def collect(self) -> Iterable[object]:
        """Every metric family with its samples."""


def histogram() -> tuple[Histogram, Registry]:
    """A histogram with four labels and the default buckets, in a registry of its own."""
    package = import_module("prometheus_client")
    registry = package.CollectorRegistry()
    made = package.Histogram("http_request_duration_seconds", "duration", list(LABELS), registry=registry)
    return cast("Histogram", made), cast("Registry", registry)


def page(registry: Registry) -> bytes:
    """What a scrape answers."""
    return cast("bytes", import_module("prometheus_client").generate_latest(registry))


def labelled() -> tuple[Histogram, tuple[str, ...]]:
    """For `histogram.labels(*values).observe(value)`, as its README writes it."""
    return histogram()[0], tuple(LABELS.values())


def bound() -> Callable[[float], None]:
    """`observe` of a child that is looked up once: the cheapest way it offers."""
    made, values = labelled()
    return made.labels(*values).observe
