"""The export loop's state: what is newest, what was sent, what is under way, and when the next one is due.

Nothing here waits on traffic or holds a lock during I/O. A failed export loses nothing: totals are cumulative, and
the next one carries them all.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel.errors import guard
from slo_otel.export import _environment as environment
from slo_otel.export._attempt import Attempt
from slo_otel.export._data import Outgoing, Translation, requests
from slo_otel.export._lane import Lane
from slo_otel.export._own import ExportTimes, Stopwatch

_JITTER: Final = 0.1
"""The share of the interval by which exports are spread, so that workers do not send together."""
_STEP_ASIDE: Final = 1.0
"""Seconds that a flush waits for a periodic export that is under way, before it takes its place."""

_KEPT: Final = "totals are kept and sent when it answers"

logger = logging.getLogger("slo_otel")


class Source:
    """Where exporters come from: made by the environment, in the thread that uses them, or given by the user.

    One that we made is thrown away when it hangs. A given one cannot be replaced, so it is waited for.
    """

    def __init__(self, given: MetricExporter | None = None) -> None:
        self._given = given
        self.replaceable = given is None
        self.name = environment.endpoint() if given is None else type(given).__name__
        self.patience = environment.patience()

    def make(self) -> MetricExporter:
        """An exporter to use; the given one every time."""
        return self._given if self._given is not None else environment.otlp_exporter(self.patience)


class Exports:
    """Sends what is newest when it is due, or at once on `flush`. Thread-safe; a fork makes a new one."""

    def __init__(
        self,
        source: Source | None,
        lane: Lane,
        translation: Translation,
        resource: Callable[[], Resource],
        interval_ns: int,
    ) -> None:
        """`source` None sends nothing; `resource` is asked in the exporting thread."""
        self._source = source
        self._lane = lane
        self._translation = translation
        self._resource = resource
        self._interval_ns = interval_ns
        self._lock = threading.RLock()
        self._turn = threading.Lock()  # one flush at a time
        self._exporter: MetricExporter | None = None
        self._newest: Outgoing | None = None
        self._sent: Outgoing | None = None
        self._current: Attempt | None = None
        self._due_ns: int | None = None
        self._random = random.Random()  # noqa: S311 - jitter; of its own, so that a host's seeded generator stays as it is
        self._answered = False
        self._failing = False
        self._stopwatch = Stopwatch()
        self._lines: deque[tuple[int, str]] = deque()
        self.cpu_ns = 0
        """CPU time that exports took, nanoseconds."""

    def times(self) -> ExportTimes:
        """How long the exports so far took."""
        return self._stopwatch.read()

    def offer(self, outgoing: Outgoing) -> None:
        """Make this what the next export sends, unless something newer was offered: totals never go back."""
        with self._lock:
            newest = self._newest
            if newest is None or newest.snapshot.taken_mono_ns <= outgoing.snapshot.taken_mono_ns:
                self._newest = outgoing

    def poll(self, mono_ns: int) -> None:
        """Begin the export that is due at `mono_ns`, and give up the one that hangs. Returns at once."""
        if self._source is None:
            return
        with self._lock:
            current = self._current
            if current is not None:
                if time.monotonic() >= current.deadline:
                    self._give_up(current)
            elif self._is_due(mono_ns) and self._newest is not None and self._newest is not self._sent:
                self._begin(self._newest, self._source.patience, patient=True)
        self._speak()

    def wait_ns(self, mono_ns: int) -> int:
        """Nanoseconds until `poll` has something to do, at most the interval."""
        with self._lock:
            current = self._current
            if current is not None:
                return max(int((current.deadline - time.monotonic()) * 1e9), 1_000_000)
            return self._interval_ns if self._due_ns is None else max(self._due_ns - mono_ns, 1_000_000)

    def _is_due(self, mono_ns: int) -> bool:
        if self._due_ns is not None and mono_ns < self._due_ns:
            return False
        first = self._due_ns is None
        self._due_ns = mono_ns + int(self._interval_ns * (1 - _JITTER * self._random.random()))
        return not first

    def flush(self, outgoing: Outgoing, timeout: float) -> bool:
        """Send what is newest, `outgoing` at least. False when it did not arrive within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self.offer(outgoing)
        if self._source is None:
            return True
        if not self._turn.acquire(timeout=max(timeout, 0.0)):
            return False
        try:
            return self._send_now(deadline)
        finally:
            self._turn.release()
            self._speak()

    def _send_now(self, deadline: float) -> bool:
        attempt: Attempt | None = None
        while attempt is None:
            self._step_aside(deadline)
            attempt = self._begin_flush(deadline)
        attempt.finished.wait(max(deadline - time.monotonic(), 0.0))
        self._give_up(attempt)
        return attempt.ok

    def _step_aside(self, deadline: float) -> None:
        """Let a periodic export that is under way finish, or take its place."""
        current = self._current
        if current is not None:
            current.finished.wait(max(min(_STEP_ASIDE, (deadline - time.monotonic()) / 2), 0.0))
            self._give_up(current)

    def _begin_flush(self, deadline: float) -> Attempt | None:
        with self._lock:
            if self._current is not None or self._newest is None:
                return None
            patient = self._answered and not self._failing
            return self._begin(self._newest, deadline - time.monotonic(), patient=patient)

    def shutdown(self, outgoing: Outgoing, timeout: float) -> bool:
        """Flush, then let the exporter go, within `timeout` seconds altogether."""
        deadline = time.monotonic() + timeout
        sent = self.flush(outgoing, timeout)
        closed = threading.Event()
        with self._lock:
            exporter, self._exporter = self._exporter, None
            closing = exporter is not None and self._lane.submit(lambda: _close(exporter, closed))
            self._lane.close()
        if closing:
            closed.wait(max(deadline - time.monotonic(), 0.0))
        return sent

    def _begin(self, outgoing: Outgoing, seconds: float, *, patient: bool) -> Attempt:
        def send() -> Iterator[MetricsData]:
            return requests(self._translation.metrics(outgoing), self._resource())

        attempt = Attempt(send, time.monotonic() + seconds, patient=patient)
        self._current = attempt
        if not self._lane.submit(lambda: self._run(attempt, outgoing)):
            self._settle(attempt, "busy")
        return attempt

    def _run(self, attempt: Attempt, outgoing: Outgoing) -> None:
        began_ns = time.thread_time_ns()
        error: str | None = "fault"
        try:
            with guard("export"):
                exporter = self._open(attempt)
                error = "cancelled" if exporter is None else attempt.send(exporter)
        finally:
            with self._lock:
                self.cpu_ns += time.thread_time_ns() - began_ns
                if attempt is self._current and error is None:
                    self._sent = outgoing
                self._settle(attempt, error)
            self._speak()

    def _open(self, attempt: Attempt) -> MetricExporter | None:
        with self._lock:
            if attempt is not self._current or self._source is None:
                return None
            if self._exporter is not None:
                return self._exporter
            source = self._source
        made = source.make()
        with self._lock:
            if attempt is self._current:
                self._exporter = made
        return made

    def _give_up(self, attempt: Attempt) -> None:
        """Stop waiting for an attempt that has not finished; its thread and its exporter are left to it."""
        with self._lock:
            if attempt is not self._current:
                return
            attempt.cancel()
            exporter = self._exporter
            self._settle(attempt, "timeout")
            if self._source is None or not self._source.replaceable:
                return
            self._exporter = None
            self._lane.abandon()
        if exporter is not None:
            _close(exporter, threading.Event())  # ends a retry at once; a request in flight ends by its own timeout

    def _settle(self, attempt: Attempt, error: str | None) -> None:
        """Say how an attempt ended, once: what was given up ends as given up."""
        if attempt is not self._current:
            return
        self._current = None
        if attempt.spent:
            self._exporter = None
        self._stopwatch.note(time.monotonic() - attempt.began, error)
        self._tell(attempt.reason or error, failed=error is not None)
        attempt.ok = error is None
        attempt.finished.set()

    def _tell(self, reason: str | None, *, failed: bool) -> None:
        """One line when exports begin to fail and one when they work again; `_speak` says it without the lock."""
        name = self._source.name if self._source is not None else ""
        if failed and not self._failing:
            self._lines.append((logging.WARNING, f"no export to {name} ({reason}); {_KEPT}"))
        elif self._failing and not failed:
            self._lines.append((logging.INFO, f"exports to {name} arrive again"))
        self._failing = failed
        self._answered = self._answered or not failed

    def _speak(self) -> None:
        while self._lines:
            level, line = self._lines.popleft()
            logger.log(level, "slo_otel: %s", line)


def _close(exporter: MetricExporter, closed: threading.Event) -> None:
    try:
        exporter.shutdown()
    except Exception:
        logger.debug("slo_otel: the exporter failed to shut down", exc_info=True)
    finally:
        closed.set()
