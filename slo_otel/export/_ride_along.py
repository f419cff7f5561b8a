"""An exporter around the one that a service's reader has, which takes our metrics along."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final
from weakref import WeakSet

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter_provider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData, ResourceMetrics

from slo_otel.errors import ConfigurationError, logger
from slo_otel.export._environment import own_version
from slo_otel.export._kinds import Kinds
from slo_otel.export._preference import preferred
from slo_otel.export._rides import Load, alone
from slo_otel.instrumentation import active

HEARTBEAT: Final = "slo_otel.heartbeat"
"""A scope and a gauge in it, which never leave the process."""

_LONG_SECONDS: Final = 1.0
"""What failed sooner costs an exit little when it is tried again."""

_waiting: WeakSet[RideAlongExporter] = WeakSet()


class RideAlongExporter(MetricExporter):
    """Sends what a `PeriodicExportingMetricReader` gives it, with the service levels of this process among it.

        reader = PeriodicExportingMetricReader(slo_otel.RideAlongExporter(OTLPMetricExporter()))
        metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
        slo_otel.configure("slo.yaml")

    Made before `configure`; from then on nothing is sent in another way. Temporality and histograms are those that
    the wrapped exporter prefers. `flush` and the hooks at the end of a process flush the provider, within their own
    deadlines. Interval, deadlines, retries and what a fork does to an export that is under way are the SDK's.
    """

    def __init__(
        self, exporter: MetricExporter, *, provider: Callable[[], MeterProvider] = get_meter_provider
    ) -> None:
        """`provider` gives the one whose reader this is for, where it is not the global one; `configure` asks.

        Raises `ConfigurationError` for what is no exporter.
        """
        _check(exporter)
        # As the SDK's reader reads them: there is no public way, and a base class that was not called has none.
        temporality = getattr(exporter, "_preferred_temporality", None)
        super().__init__(temporality, getattr(exporter, "_preferred_aggregation", None))
        self._exporter = exporter
        self._provider = provider
        self._load: Load | None = None
        self._beats = False
        self._in_vain = False
        if active() is None:
            _waiting.add(self)
        else:
            logger.warning(
                "slo_otel: a RideAlongExporter was made after configure() and takes nothing along; make it before"
            )

    @property
    def kinds(self) -> Kinds:
        """What the wrapped exporter prefers."""
        return preferred(self._exporter)

    @property
    def provider(self) -> MeterProvider:
        """The provider whose reader this is for."""
        return self._provider()

    def take_along(self, load: Load | None) -> None:
        """For the runtime: add this to what is exported from now on, or nothing."""
        self._load = load
        if load is not None and not self._beats:
            self._beats = True
            meter = self.provider.get_meter(HEARTBEAT, own_version())
            meter.create_observable_gauge(HEARTBEAT, [self._beat], description="Keeps the reader exporting.")

    def _beat(self, _: CallbackOptions) -> Iterator[Observation]:
        """A reader without any point calls no exporter."""
        if self._load is not None:
            yield Observation(1)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        """Export the service's metrics and ours. Without a runtime it is the wrapped exporter's call."""
        if self._waited_for():
            logger.warning(
                "slo_otel: the Collector did not take the last export of this process; it is not asked again"
            )
            return MetricExportResult.FAILURE
        carries, exits, began = self._load is not None, _exiting(), time.monotonic()
        result = self._export(metrics_data, timeout_millis, **kwargs)
        failed = result is not MetricExportResult.SUCCESS
        self._in_vain = carries and exits and failed and time.monotonic() - began >= _LONG_SECONDS
        return result

    def _waited_for(self) -> bool:
        """Whether the exit has had its last export: ours took long and failed, as the SDK's alone would have.

        The SDK's hook comes after ours and would wait as long again.
        """
        in_vain, self._in_vain = self._in_vain, False
        return in_vain and self._load is None

    def _export(self, metrics_data: MetricsData, timeout_millis: float, **kwargs: object) -> MetricExportResult:
        deadline = time.monotonic() + timeout_millis / 1000

        def send(data: MetricsData) -> MetricExportResult:
            left = max(deadline - time.monotonic(), 0.0)
            return self._exporter.export(data, timeout_millis=left * 1000, **kwargs)

        load, apps = self._load, _without_heartbeat(metrics_data)
        return alone(apps, send) if load is None else load.export(apps, send)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """The wrapped exporter's."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Shut the wrapped exporter down."""
        _waiting.discard(self)
        self._exporter.shutdown(timeout_millis, **kwargs)


def _exiting() -> bool:
    """Whether the interpreter runs its hooks at exit: the main thread has ended by then, its code has."""
    return not threading.main_thread().is_alive()


def _check(given: object) -> None:
    """From callers whose types nobody may have checked."""
    if not isinstance(given, MetricExporter) or isinstance(given, RideAlongExporter):
        raise ConfigurationError(
            "RideAlongExporter takes the exporter that it stands for, as in "
            f"RideAlongExporter(OTLPMetricExporter()); got {given!r}"
        )


def riders() -> tuple[RideAlongExporter, ...]:
    """Those that stand ready to take something along."""
    return tuple(_waiting)


def _without_heartbeat(data: MetricsData) -> MetricsData:
    """Its resource stays, since ours is sent as of the same."""
    return MetricsData([_beatless(resource) for resource in data.resource_metrics])


def _beatless(resource: ResourceMetrics) -> ResourceMetrics:
    scopes = [scope for scope in resource.scope_metrics if scope.scope.name != HEARTBEAT]
    return replace(resource, scope_metrics=scopes)
