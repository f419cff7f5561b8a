"""Our metrics in the exports of readers that the service has already: they pull, we do not send."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel import threads
from slo_otel.errors import guard, logger
from slo_otel.export._data import Outgoing, Translation, requests, taken
from slo_otel.export._joined import Identity, joined
from slo_otel.export._kinds import Kinds
from slo_otel.export._lane import Lane
from slo_otel.export._own import ExportTimes, Stopwatch
from slo_otel.export._progress import Progress

Moment: TypeAlias = Callable[[], Outgoing | None]
"""What is known now; None where it cannot be had in time."""
Send: TypeAlias = Callable[[MetricsData], MetricExportResult]
_IDLE_NS: Final = 60_000_000_000
"""How often the runtime's thread looks in between two ticks; there is nothing to do."""


class Rider(Protocol):
    """An exporter of a reader, which takes our metrics along."""

    @property
    def kinds(self) -> Kinds:
        """The temporality and histograms that it takes."""

    @property
    def provider(self) -> MeterProvider:
        """The provider whose reader it serves."""

    def take_along(self, load: Load | None) -> None:
        """Add this to what is exported from now on, or nothing."""


class Load:
    """What one rider takes along. One export at a time, which the SDK's reader sees to."""

    def __init__(self, moment: Moment, translation: Translation, resource: Resource, watch: Stopwatch) -> None:
        """`moment` is asked at each export; `resource` is ours, for data that has none."""
        self._moment = moment
        self._translation = translation
        self._identity = Identity(resource)
        self._watch = watch
        self._compared = False
        self.begun = 0
        """How many exports began to carry ours."""
        self.arrived = 0
        """The number of the newest that arrived in full."""
        self.progress = Progress()
        """What arrived."""
        self.failing = False

    def export(self, apps: MetricsData, send: Send) -> MetricExportResult:
        """Send the service's own metrics with ours among them; what does not fit into one request follows."""
        self.begun = number = self.begun + 1
        outgoing: Outgoing | None = None
        ours: Sequence[MetricsData] = ()
        with guard("the ride along"):  # a fault of ours costs our metrics, not the service's
            outgoing = self._moment()
            ours = self._requests(outgoing)
        if outgoing is None or not ours:
            return alone(apps, send)
        self._compare(apps)
        began = time.monotonic()
        for at, (whole, part) in enumerate(joined(apps, ours, self._identity)):
            result = send(whole)
            if result is not MetricExportResult.SUCCESS:
                self.failing = True
                self._watch.note(time.monotonic() - began, "rejected")
                if at:
                    self._reach(outgoing, ours[at:])
                return result
            taken(part)
        self.arrived, self.failing = number, False
        self.progress.whole(outgoing)
        self._watch.note(time.monotonic() - began, None)
        return MetricExportResult.SUCCESS

    def _reach(self, outgoing: Outgoing, missing: Sequence[MetricsData]) -> None:
        with guard("the ride along"):
            self.progress.part(self._translation.reached(outgoing.snapshot, missing))

    def _requests(self, outgoing: Outgoing | None) -> Sequence[MetricsData]:
        return () if outgoing is None else tuple(requests(self._translation.metrics(outgoing), self._identity.ours))

    def _compare(self, apps: MetricsData) -> None:
        """Rules are made for the service that the policy names, and the reader's resource says another one."""
        if self._compared or not apps.resource_metrics:
            return
        self._compared = True
        differs = self._identity.differs(apps.resource_metrics[0].resource)
        if differs is not None:
            logger.warning(
                "slo_otel: the metrics ride along as %s; make them the same (OTEL_SERVICE_NAME, "
                "OTEL_RESOURCE_ATTRIBUTES, or the resource of the MeterProvider)",
                differs,
            )


def alone(apps: MetricsData, send: Send) -> MetricExportResult:
    """Nothing is sent where the service has nothing to say either."""
    said = [of for of in apps.resource_metrics if of.scope_metrics]
    return send(MetricsData(said)) if said else MetricExportResult.SUCCESS


class Rides:
    """The outlet of a process whose readers take its metrics along."""

    cpu_ns = 0
    """The readers' threads are not ours."""

    def __init__(
        self,
        riders: Sequence[Rider],
        lane: Lane,
        translation: Callable[[Kinds], Translation],
        resource: Resource,
        moment: Moment,
    ) -> None:
        """One translation for each rider: with delta temporality each goes on from what it sent."""
        self._riders = tuple(riders)
        self._lane = lane
        self._lock = threads.Lock()
        self._newest: Outgoing | None = None
        self._watch = Stopwatch()
        self._loads = [Load(moment, translation(rider.kinds), resource, self._watch) for rider in riders]
        for rider, load in zip(self._riders, self._loads, strict=True):
            rider.take_along(load)

    def offer(self, outgoing: Outgoing) -> None:
        """What `unsent` counts; an export asks for what is known when it begins."""
        self._newest = outgoing

    def poll(self, mono_ns: int) -> None:
        """The readers have clocks of their own."""

    def wait_ns(self, mono_ns: int) -> int:
        """A while."""
        return _IDLE_NS

    def flush(self, outgoing: Outgoing, timeout: float) -> bool:
        """Have the readers export now. False when it did not arrive, or not within `timeout` seconds."""
        self.offer(outgoing)
        before = [load.begun for load in self._loads]
        finished = threads.Event()
        with self._lock:
            if not self._lane.submit(lambda: self._collect(timeout, finished)):
                return False
        if not finished.wait(max(timeout, 0.0)):
            with self._lock:
                self._lane.abandon()
        return all(load.arrived > begun for load, begun in zip(self._loads, before, strict=True))

    def _collect(self, timeout: float, finished: threads.Event) -> None:
        """On a thread of ours, since the SDK's flush keeps no deadline."""
        try:
            for provider in {id(rider.provider): rider.provider for rider in self._riders}.values():
                force_flush = getattr(provider, "force_flush", None)
                if force_flush is not None:
                    force_flush(timeout_millis=timeout * 1000)
        except Exception:  # noqa: BLE001 - the SDK raises where a reader fails; what arrived says it all
            logger.debug("slo_otel: the MeterProvider failed to flush", exc_info=True)
        finally:
            finished.set()

    def shutdown(self, outgoing: Outgoing, timeout: float) -> bool:
        """Flush, and take nothing along any more; reader and exporter are the service's."""
        sent = self.flush(outgoing, timeout)
        for rider in self._riders:
            rider.take_along(None)
        with self._lock:
            self._lane.close()
        return sent

    def times(self) -> ExportTimes:
        """How long the exports took that carried ours."""
        return self._watch.read()

    def failing(self) -> bool:
        """Whether the newest export of a rider failed."""
        return any(load.failing for load in self._loads)

    def unsent(self) -> int:
        """Events of what is newest that the rider which is furthest behind did not send."""
        return max((load.progress.unsent(self._newest) for load in self._loads), default=0)

    def arrived_ns(self) -> int:
        """The time of the last snapshot that every rider sent in full; 0 before there was one."""
        sent = [load.progress.sent for load in self._loads]
        return min((0 if each is None else each.snapshot.taken_wall_ns for each in sent), default=0)
