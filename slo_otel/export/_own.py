"""What the SDK says of itself: series, overflow, drops, faults, export times, its own CPU."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum

from slo_otel import names, threads
from slo_otel.export._bins import Bins
from slo_otel.export._checkpoint import Cumulative, Flow, Line, flow
from slo_otel.export._kinds import Kinds
from slo_otel.export._series import Told
from slo_otel.recorder import HTTP_BOUNDS, Limits
from slo_otel.units import seconds


@dataclass(frozen=True, slots=True)
class ExportTimes:
    """How long exports took, by `error.type` (None for success): bucket counts over `HTTP_BOUNDS`, and seconds."""

    by_error: tuple[tuple[str | None, tuple[int, ...], float], ...] = ()


@dataclass(frozen=True, slots=True)
class Own:
    """The SDK's own numbers at one moment, cumulative since `born_ns`."""

    limits: Limits
    faults: int
    cpu_ns: int
    """CPU time of our threads, nanoseconds."""
    exports: ExportTimes = ExportTimes()


class Stopwatch:
    """Collects export times. Thread-safe; a fork makes a new one."""

    def __init__(self) -> None:
        self._lock = threads.Lock()
        self._bins: dict[str | None, Bins] = {None: Bins(HTTP_BOUNDS)}

    def note(self, took: float, error: str | None) -> None:
        """Add one export of `took` seconds; `error` is None, or a stable word for what went wrong."""
        with self._lock:
            bins = self._bins.setdefault(error, Bins(HTTP_BOUNDS))
            bins.counts[bisect_left(HTTP_BOUNDS, took)] += 1
            bins.sum += took

    def read(self) -> ExportTimes:
        """What was collected so far."""
        with self._lock:
            return ExportTimes(tuple((error, tuple(bins.counts), bins.sum) for error, bins in self._bins.items()))


_COUNTERS: Final = {
    names.SDK_OVERFLOW: ("Events past the series limit.", "{event}"),
    names.SDK_OVERFLOW_VALUES: ("Attribute values past their limit.", "{value}"),
    names.SDK_LATE_CHANGES: ("Changes to closed events.", "{change}"),
    names.SDK_AFTER_BODY: ("Exceptions after the answer.", "{exception}"),
    names.SDK_DETACHED: ("Look-ups of an event where none was open.", "{event}"),
    names.SDK_DROPPED: ("Journal lines that did not fit.", "{event}"),
    names.SDK_FAULTS: ("Faults of the SDK that it kept from the service.", "{fault}"),
    names.SDK_CPU_TIME: ("CPU time of the SDK's threads.", "s"),
}


def _counted(own: Own) -> Iterator[tuple[str, float]]:
    """The values of the counters."""
    limits = own.limits
    yield names.SDK_OVERFLOW, limits.overflowed_events
    yield names.SDK_OVERFLOW_VALUES, limits.overflowed_values
    yield names.SDK_LATE_CHANGES, limits.late_changes
    yield names.SDK_AFTER_BODY, limits.after_body_errors
    yield names.SDK_DETACHED, limits.detached_events
    yield names.SDK_DROPPED, limits.dropped_marks
    yield names.SDK_FAULTS, own.faults
    yield names.SDK_CPU_TIME, seconds(own.cpu_ns)


class OwnMetrics:
    """The self-observation metrics. Counters are read off when something is sent, export times are recorded."""

    def __init__(self, born_ns: int, kinds: Kinds) -> None:
        """`born_ns` is the wall time since when this process counts."""
        self._born_ns = born_ns
        self._series: Flow[float] = Cumulative()  # an UpDownCounter
        self._counters: dict[str, Flow[float]] = {name: flow(kinds.observed) for name in _COUNTERS}
        self._times: Flow[Bins] = flow(kinds.histograms)

    def metrics(self, own: Own, time_ns: int) -> Iterator[Metric]:
        """All of them, some without points."""
        series = self._points(self._series, own.limits.series, time_ns)
        yield Metric(
            names.SDK_SERIES, "Series in the recorder.", "{series}", Sum(series, self._series.temporality, False)
        )
        for name, value in _counted(own):
            text, unit = _COUNTERS[name]
            counter = self._counters[name]
            yield Metric(name, text, unit, Sum(self._points(counter, value, time_ns), counter.temporality, True))
        yield self._export_durations(own.exports, time_ns)

    def _points(self, told: Flow[float], value: float, time_ns: int) -> Sequence[NumberDataPoint]:
        return told.points((Line(_NO_SERIES, "", _NOTHING, self._born_ns, value),), time_ns, _number)

    def _export_durations(self, times: ExportTimes, time_ns: int) -> Metric:
        lines = tuple(
            Line(_NO_SERIES, error or "", _error(error), self._born_ns, bins) for error, bins in _read(times)
        )
        data = Histogram(self._times.points(lines, time_ns, _histogram), self._times.temporality)
        return Metric(names.SDK_EXPORT_DURATION, "How long exports took.", "s", data)


_NO_SERIES: Final = ("", ())
_NOTHING: Final = Told({})


def _error(kind: str | None) -> Told:
    return _NOTHING if kind is None else Told({names.ERROR_TYPE: kind})


def _read(times: ExportTimes) -> Iterator[tuple[str | None, Bins]]:
    for error, counts, total in times.by_error:
        yield error, Bins(HTTP_BOUNDS, list(counts), total)


def _number(line: Line[float], start_ns: int, time_ns: int, value: float) -> NumberDataPoint:
    return NumberDataPoint({}, start_ns, time_ns, value)


def _histogram(line: Line[Bins], start_ns: int, time_ns: int, value: Bins) -> HistogramDataPoint:
    return value.point(line.told, start_ns, time_ns)
