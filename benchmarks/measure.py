"""How anything is measured here: interleaved rounds, CPU time of the thread, the collector switched off for all.

A subject returns samples: for each name the value of each round, in the unit of that name, baseline taken off.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Samples = dict[str, list[float]]
"""Name of what was measured (`subject.variant`) to its value in each round."""
Work = Callable[[], float]
"""One round of one variant: does the work and says what it cost for each unit of it."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look."""

    rounds: int
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """The distribution of a sample, as it is written to the results."""

    median: float
    q1: float
    q3: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Of at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        q1, _, q3 = statistics.quantiles(values, method="inclusive")
        return cls(statistics.median(values), q1, q3, len(values))


def cpu_ns(batch: Callable[[], object], units: int) -> Work:
    """Nanoseconds of this thread's CPU time for each of the `units` that one call of `batch` does."""

    def work() -> float:
        began = time.thread_time_ns()
        batch()
        return (time.thread_time_ns() - began) / units

    return work


def interleaved(
    works: Mapping[str, Work],
    rounds: int,
    between: Callable[[], object] = lambda: None,
    *,
    collecting: bool = False,
) -> Samples:
    """Every work once a round, in an order that rotates. `between` runs after each round, unmeasured.

    Garbage is collected between rounds and, unless `collecting`, not during them, so that no variant pays for
    another one's.
    """
    names = list(works)
    found: Samples = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        with garbage(collecting=collecting):
            for name in names[turn:] + names[:turn]:
                found[name].append(works[name]())
        between()
    return found


@contextmanager
def garbage(*, collecting: bool) -> Iterator[None]:
    """Begin without any, and collect none unless `collecting`."""
    gc.collect()
    if not collecting:
        gc.disable()
    try:
        yield
    finally:
        gc.enable()


def warmed(works: Mapping[str, Work], rounds: int, between: Callable[[], object] = lambda: None) -> None:
    """Run everything a few times unmeasured: caches, adaptive bytecode, and limits that grow under load."""
    interleaved(works, rounds, between)


def over(samples: Samples, baseline: str) -> Samples:
    """What each variant costs over the baseline of its own round; the baseline itself is left out."""
    base = samples[baseline]
    return {
        name: [value - without for value, without in zip(values, base, strict=True)]
        for name, values in samples.items()
        if name != baseline
    }


def scaled(samples: Samples, factor: float) -> Samples:
    """Another unit."""
    return {name: [value * factor for value in values] for name, values in samples.items()}


def named(subject: str, samples: Samples) -> Samples:
    """`variant` becomes `subject.variant`."""
    return {f"{subject}.{name}": values for name, values in samples.items()}


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]
