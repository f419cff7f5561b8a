"""Lines of totals become data points: as they are, or as what is new since a Collector took them.

Delta temporality must neither lose nor double an event whatever fails. So the checkpoint of a line advances when
a Collector took the very point that carried it, and to what that point said; whatever was not taken is in the next
one. Each point starts where the one before it ended that was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Final, Generic, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from opentelemetry.sdk.metrics.export import AggregationTemporality

from slo_otel import threads
from slo_otel.export._kinds import CUMULATIVE, DELTA
from slo_otel.export._paced import Points, paced
from slo_otel.export._series import Series, Told, started
from slo_otel.units import SECOND_NS

_HELD_NS: Final = 600 * SECOND_NS
"""How far the clock may step back before a series follows it. Until then its points go on where they ended:
who adds deltas up throws away a point that ends before the last one."""


class Total(Protocol):
    """What can be counted up: a number, the bins of a histogram. False when there is nothing in it."""

    def __sub__(self, other: Self, /) -> Self: ...

    def __bool__(self) -> bool: ...


V = TypeVar("V", bound=Total)
P = TypeVar("P")
T = TypeVar("T")
Make: TypeAlias = Callable[["Line[V]", int, int, V], P]
"""From a line, a start, an end and a value to a data point, or to its encoding."""


class Line(NamedTuple, Generic[V]):
    """One series and verdict, with everything counted since its start."""

    series: Series
    verdict: str
    told: Told
    """The attributes of the series, without the verdict."""
    start_ns: int
    total: V


class Flow(Protocol[V]):
    """How lines are told."""

    @property
    def temporality(self) -> AggregationTemporality:
        """That of the points."""

    def among(self, changed: Mapping[Series, None], known: Iterable[Series]) -> Iterable[Series]:
        """The series to look at, of those `known`, after some of them `changed`."""

    def points(
        self, lines: Sequence[Line[V]], time_ns: int, make: Make[V, P], write: Make[V, bytes] | None = None
    ) -> Sequence[P]:
        """The points of these lines at `time_ns`."""


class Cumulative(Generic[V]):
    """Every line, with all it counted since its start."""

    temporality: ClassVar = CUMULATIVE

    def among(self, changed: Mapping[Series, None], known: Iterable[Series]) -> Iterable[Series]:
        """All of them: an idle series is told again."""
        return known

    def points(
        self, lines: Sequence[Line[V]], time_ns: int, make: Make[V, P], write: Make[V, bytes] | None = None
    ) -> Sequence[P]:
        """A point for each line."""

        def told(tell: Make[V, T]) -> Callable[[Line[V]], T]:
            return lambda line: tell(line, started(line.start_ns, time_ns), time_ns, line.total)

        return Points(lines, told(make), write=None if write is None else told(write))


class _Taken(NamedTuple, Generic[V]):
    """What a Collector has of a line: everything up to this total, until then."""

    total: V
    end_ns: int


class _Step(NamedTuple, Generic[V]):
    """What is new of a line."""

    line: Line[V]
    start_ns: int
    end_ns: int
    value: V

    @property
    def series(self) -> Series:
        """That of the line."""
        return self.line.series

    @property
    def verdict(self) -> str:
        """That of the line."""
        return self.line.verdict


class Delta(Generic[V]):
    """What is new of each line since a Collector took it. Lines without anything new have no point.

    Only what `points` gave last can be taken: when an export that was given up arrives in the end, a later one may
    already carry the same events. Thread-safe; a fork makes a new one.
    """

    temporality: ClassVar = DELTA

    def __init__(self) -> None:
        self._lock = threads.Lock()
        self._turn = 0
        self._taken: dict[tuple[Series, str], _Taken[V]] = {}
        self._pending: dict[Series, None] = {}

    def among(self, changed: Mapping[Series, None], known: Iterable[Series]) -> Iterable[Series]:
        """Those that changed, and those of which something was not taken when they were last looked at."""
        self._pending.update(changed)
        return self._pending

    def points(
        self, lines: Sequence[Line[V]], time_ns: int, make: Make[V, P], write: Make[V, bytes] | None = None
    ) -> Sequence[P]:
        """A point for each line with something new."""
        with self._lock:
            self._turn += 1
            steps = tuple(step for line in paced(lines) if (step := self._step(line, time_ns)) is not None)
            self._pending = {step.line.series: None for step in paced(steps)}
            written = None if write is None else lambda step: write(*step)
            return Points(steps, lambda step: make(*step), partial(self._take, self._turn), written)

    def _step(self, line: Line[V], time_ns: int) -> _Step[V] | None:
        taken = self._taken.get((line.series, line.verdict))
        if taken is None:
            start_ns = started(line.start_ns, time_ns)
            return _Step(line, start_ns, time_ns, line.total) if line.total else None
        if line.total is taken.total or not (value := line.total - taken.total):
            return None
        end_ns = _after(taken.end_ns, time_ns)
        return _Step(line, started(taken.end_ns, end_ns), end_ns, value)

    def _take(self, turn: int, steps: Sequence[_Step[V]]) -> None:
        with self._lock:
            if turn != self._turn:
                return
            for line, _, end_ns, _ in paced(steps):
                self._taken[line.series, line.verdict] = _Taken(line.total, end_ns)


def _after(end_ns: int, time_ns: int) -> int:
    """Where a point ends at `time_ns`, after one that ended at `end_ns`."""
    return time_ns if time_ns > end_ns or end_ns - time_ns > _HELD_NS else end_ns + 1


def flow(temporality: AggregationTemporality) -> Flow[V]:
    """The flow of a temporality, with a checkpoint of its own."""
    return Delta() if temporality is DELTA else Cumulative()
