"""Wires the stages of one process, and wires them again in the child of a fork."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import uuid4

from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.resources import Resource

from slo_otel import instrumentation, threads
from slo_otel.clock import Clock, SystemClock
from slo_otel.errors import ConfigurationError, guard, logger, reset_faults
from slo_otel.evaluation import StatusSet
from slo_otel.export import (
    Exports,
    InlineLane,
    Kinds,
    Lane,
    Outgoing,
    Outlet,
    Rides,
    Source,
    ThreadLane,
    Translation,
    interval_ns,
    riders,
    sdk_disabled,
    wanted,
)
from slo_otel.ledger import Ledger, MemoryLedger
from slo_otel.plan import Plan
from slo_otel.recorder import Recorder
from slo_otel.runtime import _process
from slo_otel.runtime._driver import Driver
from slo_otel.runtime._exit_time import ExitTime
from slo_otel.runtime._identity import INSTANCE, forked, identify, siblings, texts
from slo_otel.runtime._maxima import maxima
from slo_otel.runtime._serverless import serverless
from slo_otel.runtime._tracing import tracing
from slo_otel.runtime._unsent import Unsent

_TICK_SECONDS: Final = 5.0
"""How long a reader's export may wait for a tick that is under way."""


@dataclass(frozen=True, slots=True)
class Given:
    """What `configure` was given beside the policy."""

    resource: Resource | Mapping[str, str] | None = None
    ledger: Ledger | None = None
    exporter: MetricExporter | None = None
    clock: Clock | None = None

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for what cannot work, from callers whose types nobody may have checked."""
        if not isinstance(self.resource, Resource | Mapping | None):
            raise ConfigurationError(
                "resource= takes attributes or an OpenTelemetry Resource, "
                f'as in resource={{"service.version": "1.4"}}; got {self.resource!r}'
            )
        if not isinstance(self.exporter, MetricExporter | None):
            raise ConfigurationError(
                f"exporter= takes a MetricExporter, as in exporter=OTLPMetricExporter(); got {self.exporter!r}"
            )


def check_environment() -> None:
    """Raises `ConfigurationError` for a variable whose value nothing can be built with, wherever that is asked."""
    interval_ns()
    maxima()
    tracing(sends=False)


class Runtime:
    """The stages of this process and the thread that drives them. Built running."""

    def __init__(self, plan: Plan, given: Given) -> None:
        """Raises `ConfigurationError` where resource, environment and policy do not fit, before anything runs."""
        self.plan = plan
        self.running = True
        self._given = given
        self._clock: Clock = given.clock or SystemClock()
        if given.clock is None:
            _process.check()
        self._on_call = given.clock is None and serverless()
        self._threadless = given.clock is not None or self._on_call
        self._resource = identify(plan, given.resource)
        self._interval_ns = interval_ns()
        self._maxima = maxima()
        self._riders = () if given.exporter is not None or sdk_disabled() else riders()
        self._source = self._find_source()
        self._tracing = tracing(sends=self._source is not None or bool(self._riders))
        self._recorder = Recorder(
            plan,
            clock=self._clock,
            writer=uuid4().hex,
            resource=texts(self._resource),
            max_series=self._maxima.series,
        )
        self._last: StatusSet | None = None
        self._lock = threads.Lock()
        self._begin()
        self._say()
        if given.clock is None:
            _process.watch()

    def _find_source(self) -> Source | None:
        """Where our own loop sends to; None where nothing is sent, or readers of the service take it along."""
        if sdk_disabled() or self._riders:
            return None
        if self._given.exporter is not None:
            return Source(self._given.exporter)
        return Source() if self._given.clock is None and wanted() else None

    def _begin(self, *, forked_now: bool = False) -> None:
        resource = self._resource
        self._exports = self._outlet(InlineLane() if self._threadless else ThreadLane())
        self._ledger = self._given.ledger or MemoryLedger(self.plan)
        self._exit_time = ExitTime(self._exports.failing)
        self._unsent = Unsent(str(resource.attributes[INSTANCE]))
        self._driver = Driver(self.plan, self._clock, self._recorder, self._ledger, self._exports)
        take = self._driver.begin if forked_now else self._driver.step
        take()  # the tick that has begun: what is recorded from now on belongs to the next slice
        self._stopping = threads.Event()
        arguments = (self._driver, self.step, self._stopping)
        self._thread = threads.Thread(_drive, arguments, name="slo-otel")
        self._activate()
        if not self._threadless:
            self._thread.start()

    def _outlet(self, lane: Lane) -> Outlet:
        resource, born_ns = self._resource, self._clock.read().wall_ns
        if self._riders:
            return Rides(self._riders, lane, partial(Translation, self.plan, born_ns), resource, self._moment)
        kinds = Kinds() if self._source is None else self._source.kinds
        translation = Translation(self.plan, born_ns, kinds)
        return Exports(self._source, lane, translation, lambda: resource, self._interval_ns)

    def _moment(self) -> Outgoing | None:
        return self._driver.moment(_TICK_SECONDS)

    def _activate(self) -> None:
        clock = self._clock
        self._active = instrumentation.Active(
            plan=self.plan,
            recorder=self._recorder,
            perf=clock.perf,
            wall_ns=lambda: clock.read().wall_ns,
            statuses=self._ledger.latest,
            flush=self.last_flush,
            max_values=self._maxima.values,
            max_reasons=self._maxima.reasons,
        )
        self._tracing.look(self._active)
        instrumentation.activate(self._active)

    def _say(self) -> None:
        missing = [text for slo in self.plan.slos for text in slo.unsupported] + list(self.plan.unsupported)
        if missing:
            said = "; ".join(dict.fromkeys(missing))
            logger.warning("slo_otel: this version does not evaluate: %s (`slo-otel lint` says where)", said)
        why = siblings()
        if why is not None and self._given.ledger is None:
            logger.info(
                "slo_otel: %s: status and evaluated gauges cover this process only (slo.scope=process)", why
            )

    def step(self) -> None:
        """Do what is due now."""
        self._driver.step()
        self._look()

    def _look(self) -> None:
        """Bind every call site anew once somebody traces; not after a `shutdown` that has just begun."""
        with guard("tracing"), self._lock:
            if self.running and instrumentation.active() is self._active and self._tracing.look(self._active):
                instrumentation.activate(self._active)

    def flush(self, timeout: float) -> bool:
        """Send everything recorded until now. False when it did not arrive in time, and after `shutdown`."""
        if self._on_call:
            self._look()
            self._driver.tick()
        return self.running and self._driver.flush(timeout)

    def last_flush(self, timeout: float) -> bool:
        """`flush` for a hook at the end of a process, within what such hooks may wait altogether.

        The process may end without another hook, so what did not arrive is said here.
        """
        sent = self._exit_time.spend(self.flush, timeout)
        if self.running:
            self._say_unsent(sent=sent)
        return sent

    def _say_unsent(self, *, sent: bool) -> None:
        if sent:
            self._unsent.take_back()
        else:
            self._unsent.say(self._exports.unsent())

    def last_shutdown(self, timeout: float) -> bool:
        """`shutdown` for a hook at the end of a process, within what such hooks may wait altogether."""
        return self._exit_time.spend(self.shutdown, timeout)

    def shutdown(self, timeout: float) -> bool:
        """Flush, stop, and leave the slot empty. The second call does nothing and says True."""
        with self._lock:
            if not self.running:
                return True
            self.running = False
        instrumentation.activate(None)
        self._stopping.set()
        deadline = time.monotonic() + timeout
        sent = self._driver.shutdown(timeout)
        self._say_unsent(sent=sent)
        self._join(max(deadline - time.monotonic(), 0.0))
        self._last = self._driver.status()
        self._ledger.close()
        return sent

    def _join(self, seconds: float) -> None:
        """Wait for a tick that is under way, so that nothing is written to a closed ledger."""
        self._thread.join(seconds)

    def status(self) -> StatusSet:
        """The newest evaluation; after `shutdown` the last one."""
        return self._last if self._last is not None else self._driver.status()

    def after_fork(self) -> None:
        """In the child: another instance, counting from zero, with its own locks, threads and exporter."""
        if not self.running:
            return
        reset_faults()
        self._lock = threads.Lock()
        self._resource = forked(self._resource)
        instrumentation.abandon()
        self._recorder.restart(uuid4().hex)
        self._begin(forked_now=True)


def _drive(driver: Driver, step: Callable[[], None], stopping: threads.Event) -> None:
    while not stopping.wait(driver.wait_seconds()):
        step()
