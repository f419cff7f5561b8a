"""What the SDK says of itself: series, overflow, drops, faults, export times, its own CPU."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.sdk.metrics.export import AggregationTemporality, Histogram, Metric, NumberDataPoint, Sum

from slo_otel import names
from slo_otel.export._durations import Bins, point
from slo_otel.export._series import Attributes
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
        self._lock = threading.Lock()
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


def own_metrics(own: Own, born_ns: int, time_ns: int) -> tuple[Metric, ...]:
    """The self-observation metrics at `time_ns`."""
    start_ns = min(born_ns, time_ns - 1)

    def number(name: str, text: str, unit: str, value: int | float, *, monotonic: bool = True) -> Metric:
        found = NumberDataPoint({}, start_ns, time_ns, value)
        return Metric(name, text, unit, Sum((found,), AggregationTemporality.CUMULATIVE, monotonic))

    limits = own.limits
    return (
        number(names.SDK_SERIES, "Series in the recorder.", "{series}", limits.series, monotonic=False),
        number(names.SDK_OVERFLOW, "Events past the series limit.", "{event}", limits.overflowed_events),
        number(
            names.SDK_OVERFLOW_VALUES, "Attribute values past their limit.", "{value}", limits.overflowed_values
        ),
        number(names.SDK_LATE_CHANGES, "Changes to closed events.", "{change}", limits.late_changes),
        number(names.SDK_AFTER_BODY, "Exceptions after the answer.", "{exception}", limits.after_body_errors),
        number(names.SDK_DETACHED, "Look-ups of an event where none was open.", "{event}", limits.detached_events),
        number(names.SDK_DROPPED, "Journal lines that did not fit.", "{event}", limits.dropped_marks),
        number(names.SDK_FAULTS, "Faults of the SDK that it kept from the service.", "{fault}", own.faults),
        number(names.SDK_CPU_TIME, "CPU time of the SDK's threads.", "s", seconds(own.cpu_ns)),
        _export_durations(own.exports, start_ns, time_ns),
    )


def _export_durations(times: ExportTimes, start_ns: int, time_ns: int) -> Metric:
    def points() -> Iterator[tuple[Attributes, Bins]]:
        for error, counts, total in times.by_error:
            bins = Bins(HTTP_BOUNDS)
            bins.counts, bins.sum = list(counts), total
            yield ({} if error is None else {names.ERROR_TYPE: error}), bins

    found = tuple(point(told, start_ns, time_ns, bins) for told, bins in points())
    data = Histogram(found, AggregationTemporality.CUMULATIVE)
    return Metric(names.SDK_EXPORT_DURATION, "How long exports took.", "s", data)
