"""What happens at a tick, and when the next thing is due. One thread drives it; flushes come from any."""

from __future__ import annotations

import time

from slo_otel import threads
from slo_otel.clock import Clock, Reading, Tick, Ticker
from slo_otel.errors import faults, guard
from slo_otel.evaluation import StatusSet, needs, statuses
from slo_otel.export import Outgoing, Outlet, Own, paced, pause
from slo_otel.ledger import Ledger
from slo_otel.plan import Plan
from slo_otel.recorder import Recorder, Snapshot
from slo_otel.units import seconds


class Driver:
    """Snapshot, ledger, evaluation, publication, export: in this order, at every tick, with one `now`.

    `step` belongs to one thread; `flush`, `shutdown` and `status` may be called from any.
    """

    def __init__(self, plan: Plan, clock: Clock, recorder: Recorder, ledger: Ledger, exports: Outlet) -> None:
        self._plan = plan
        self._clock = clock
        self._recorder = recorder
        self._ledger = ledger
        self._exports = exports
        self._ticker = Ticker(plan.step_ns)
        self._lock = threads.Lock()  # one snapshot at a time, and what is offered to the export never goes back
        self._newest_ns = 0
        self._statuses: StatusSet | None = None
        self._cpu_ns = 0

    def step(self) -> None:
        """Do what is due now. A fault of ours is counted and costs this step, not the next one."""
        began_ns = time.thread_time_ns()
        reading = self._clock.read()
        self._tick_due(reading)
        with guard("the export loop"):
            self._exports.poll(reading.mono_ns)
        self._cpu_ns += time.thread_time_ns() - began_ns

    def tick(self) -> None:
        """The part of `step` that sends nothing, for a process whose flushes do what is due."""
        self._tick_due(self._clock.read())

    def begin(self) -> None:
        """Take the tick that has begun, so that what is recorded from now on belongs to the next slice.

        That and no more: the child of a fork must not be held up by an evaluation.
        """
        reading = self._clock.read()
        tick = self._ticker.tick(reading.wall_ns)
        if tick is not None and tick.at_ns is not None:
            with guard("the ledger"):
                self._newest_ns = tick.at_ns
                self._append(self._snapshot(tick.at_ns, reading.mono_ns, late=tick.late))

    def _tick_due(self, reading: Reading) -> None:
        tick = self._ticker.tick(reading.wall_ns)
        if tick is not None and tick.at_ns is not None:
            with guard("the tick"):
                self._tick(tick.at_ns, tick, reading)

    def wait_seconds(self) -> float:
        """Until the next tick or the next thing the export has to do."""
        reading = self._clock.read()
        wait_ns = min(self._ticker.wait_ns(reading.wall_ns), self._exports.wait_ns(reading.mono_ns))
        return seconds(wait_ns)

    def flush(self, timeout: float) -> bool:
        """Send a snapshot of this moment; False when it did not arrive within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        outgoing = self.moment(timeout)
        return outgoing is not None and self._exports.flush(outgoing, deadline - time.monotonic())

    def shutdown(self, timeout: float) -> bool:
        """`flush`, and let the exporter go."""
        deadline = time.monotonic() + timeout
        outgoing = self.moment(timeout)
        return outgoing is not None and self._exports.shutdown(outgoing, deadline - time.monotonic())

    def status(self) -> StatusSet:
        """The newest evaluation, of this process or of the one that leads."""
        found = self._ledger.latest() or self._statuses
        return found if found is not None else self._evaluated(self._clock.read().wall_ns)

    def _tick(self, at_ns: int, tick: Tick, reading: Reading) -> None:
        with self._lock:
            snapshot = self._snapshot(at_ns, reading.mono_ns, late=tick.late)
            pause()
            with guard("the ledger"):
                self._append(snapshot)
            self._statuses = None
            pause()
            with guard("the evaluation"):
                self._evaluate(at_ns)
            self._newest_ns = at_ns
            self._exports.offer(self._outgoing(snapshot))

    def _append(self, snapshot: Snapshot) -> None:
        self._ledger.append(snapshot)
        if snapshot.journal:
            self._recorder.trim(snapshot.journal[-1].sequence)

    def _evaluate(self, at_ns: int) -> None:
        """Evaluated gauges come from one place: the process that leads."""
        if self._ledger.lead() is not None:
            self._statuses = self._evaluated(at_ns)
            self._ledger.publish(self._statuses)

    def _evaluated(self, now_ns: int) -> StatusSet:
        at_ns = now_ns - now_ns % self._plan.step_ns
        answers = self._ledger.answer(needs(self._plan, at_ns))
        found = tuple(paced(statuses(self._plan, answers, at_ns)))
        return StatusSet(at_ns, self._ledger.scope, self._plan.service, found, self._plan.unsupported)

    def moment(self, timeout: float) -> Outgoing | None:
        """A snapshot off the ticks: for the export alone, the ledger gets its events at their tick.

        None where a tick takes longer than `timeout` seconds.
        """
        if not self._lock.acquire(timeout=max(timeout, 0.0)):
            return None
        try:
            reading = self._clock.read()
            # never earlier than what was sent, where the clock stepped back: a backend would refuse it
            self._newest_ns = max(reading.wall_ns, self._newest_ns)
            return self._outgoing(self._snapshot(self._newest_ns, reading.mono_ns))
        finally:
            self._lock.release()

    def _snapshot(self, wall_ns: int, mono_ns: int, *, late: bool = False) -> Snapshot:
        """Exemplars that arrived are not told again: the others are of the time since then."""
        self._recorder.exemplars.forget(self._exports.arrived_ns())
        return self._recorder.snapshot(wall_ns, mono_ns, late=late)

    def _outgoing(self, snapshot: Snapshot) -> Outgoing:
        own = Own(
            snapshot.limits,
            sum(faults().values()),
            self._cpu_ns + self._exports.cpu_ns,
            self._exports.times(),
        )
        return Outgoing(snapshot, self._statuses, own)
