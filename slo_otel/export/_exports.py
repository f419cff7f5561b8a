"""The export loop's state: what is newest, what was sent, what is under way, and when the next one is due.

Nothing here waits on traffic or holds a lock during I/O. A failed export loses nothing: the next one carries all
that did not arrive.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource

from slo_otel import threads
from slo_otel.errors import guard
from slo_otel.export._attempt import Attempt
from slo_otel.export._data import Outgoing, Translation, requests
from slo_otel.export._lane import Lane
from slo_otel.export._news import News
from slo_otel.export._own import ExportTimes, Stopwatch
from slo_otel.export._progress import Progress
from slo_otel.export._sender import Failure, Sender
from slo_otel.export._source import Source
from slo_otel.plan import CellKey

_JITTER: Final = 0.1
"""The share of the interval by which exports are spread, so that workers do not send together."""
_STEP_ASIDE: Final = 1.0
"""Seconds that a flush waits for a periodic export that is under way, before it takes its place."""

_GRACE: Final = 0.1
"""Seconds that an attempt may need to end once its connection was shut down."""
_TIMEOUT: Final = Failure("timeout", "no answer in time")
_BUSY: Final = Failure("busy", "too many exports before this one still hang")
_FAULT: Final = Failure("fault", "a fault of ours")


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
        self._lock = threads.RLock()
        self._turn = threads.Lock()  # one flush at a time
        self._sender: Sender | None = None
        self._newest: Outgoing | None = None
        self._progress = Progress()
        self._current: Attempt | None = None
        self._due_ns: int | None = None
        self._random = random.Random()  # noqa: S311 - jitter; of its own, so that a host's seeded generator stays as it is
        self._news = News(source.name if source is not None else "")
        self._stopwatch = Stopwatch()
        self.cpu_ns = 0
        """CPU time that exports took, nanoseconds."""

    def times(self) -> ExportTimes:
        """How long the exports so far took."""
        return self._stopwatch.read()

    def failing(self) -> bool:
        """Whether the newest export failed."""
        return self._news.failing

    def unsent(self) -> int:
        """Events of the newest snapshot that did not arrive, to the request."""
        with self._lock:
            return self._progress.unsent(self._newest)

    def arrived_ns(self) -> int:
        """The time of the last snapshot that arrived in full; 0 before there was one."""
        sent = self._progress.sent
        return 0 if sent is None else sent.snapshot.taken_wall_ns

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
        current = self._current
        if current is not None:
            self._expire(current)
        else:
            with self._lock:
                if self._is_due(mono_ns) and self._newest is not None and self._newest is not self._progress.sent:
                    self._begin(self._newest, self._source.patience, patient=True, each=True)
        self._news.speak()

    def _expire(self, attempt: Attempt) -> None:
        """Stop an attempt at its deadline; give it up a moment later."""
        late = time.monotonic() - attempt.deadline
        if late >= _GRACE:
            self._give_up(attempt)
        elif late >= 0:
            self._stop(attempt)

    def wait_ns(self, mono_ns: int) -> int:
        """Nanoseconds until `poll` has something to do, at most the interval."""
        with self._lock:
            current = self._current
            if current is not None:
                left = current.deadline - time.monotonic()
                return max(int((left if left > 0 else left + _GRACE) * 1e9), 1_000_000)
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
            self._news.speak()

    def _send_now(self, deadline: float) -> bool:
        attempt: Attempt | None = None
        while attempt is None:
            self._step_aside(deadline)
            attempt = self._begin_flush(deadline)
        attempt.finished.wait(max(deadline - time.monotonic(), 0.0))
        self._end(attempt)
        return attempt.ok

    def _step_aside(self, deadline: float) -> None:
        """Let a periodic export that is under way finish, or take its place."""
        current = self._current
        if current is not None:
            current.finished.wait(max(min(_STEP_ASIDE, (deadline - time.monotonic()) / 2), 0.0))
            self._end(current)

    def _end(self, attempt: Attempt) -> None:
        """Stop an attempt, and give it up when it does not end a moment later."""
        if not attempt.finished.is_set():
            self._stop(attempt)
            attempt.finished.wait(_GRACE if self._replaceable else 0.0)
            self._give_up(attempt)

    def _begin_flush(self, deadline: float) -> Attempt | None:
        with self._lock:
            if self._current is not None or self._newest is None:
                return None
            patient = self._news.answered and not self._news.failing
            return self._begin(self._newest, deadline - time.monotonic(), patient=patient)

    def shutdown(self, outgoing: Outgoing, timeout: float) -> bool:
        """Flush, then let the sender go, within `timeout` seconds altogether."""
        deadline = time.monotonic() + timeout
        sent = self.flush(outgoing, timeout)
        closed = threads.Event()
        with self._lock:
            sender, self._sender = self._sender, None
            closing = sender is not None and self._lane.submit(lambda: _close(sender, closed))
            self._lane.close()
        if closing:
            closed.wait(max(deadline - time.monotonic(), 0.0))
        return sent

    def _begin(self, outgoing: Outgoing, seconds: float, *, patient: bool, each: bool = False) -> Attempt:
        def wanted() -> bool:
            return attempt is self._current

        def send() -> Iterator[MetricsData]:
            return requests(self._translation.metrics(outgoing, wanted), self._resource())

        attempt = Attempt(send, seconds, patient=patient, each=each)
        self._current = attempt
        if not self._lane.submit(lambda: self._run(attempt, outgoing)):
            self._settle(attempt, _BUSY)
        return attempt

    def _run(self, attempt: Attempt, outgoing: Outgoing) -> None:
        began_ns = time.thread_time_ns()
        failure: Failure | None = _FAULT
        reached: Mapping[CellKey, int] = {}
        try:
            with guard("export"):
                sender = self._open(attempt)
                failure = _TIMEOUT if sender is None else attempt.send(sender)
                if attempt.arrived and attempt.missing:
                    reached = self._translation.reached(outgoing.snapshot, attempt.missing)
        finally:
            with self._lock:
                self.cpu_ns += time.thread_time_ns() - began_ns
                if attempt is self._current and failure is None:
                    self._progress.whole(outgoing)
                elif attempt is self._current:
                    self._progress.part(reached)
                self._settle(attempt, failure)
            self._news.speak()

    def _open(self, attempt: Attempt) -> Sender | None:
        with self._lock:
            if attempt is not self._current or self._source is None:
                return None
            if self._sender is not None:
                return self._sender
            source = self._source
        made = source.make()
        with self._lock:
            if attempt is self._current and not attempt.cancelled:
                self._sender = made
        return made

    @property
    def _replaceable(self) -> bool:
        return self._source is not None and self._source.replaceable

    def _stop(self, attempt: Attempt) -> None:
        """End what an attempt waits for: its sender's connection is shut down and the sender thrown away."""
        with self._lock:
            if attempt is not self._current:
                return
            attempt.cancel()
            if not self._replaceable:
                return
            sender, self._sender = self._sender, None
        if sender is not None:
            sender.stop()

    def _give_up(self, attempt: Attempt) -> None:
        """Stop waiting for an attempt that cannot be ended, in a look-up of a name for example."""
        with self._lock:
            if attempt is self._current:
                attempt.cancel()
                self._settle(attempt, _TIMEOUT)
                if self._replaceable:
                    self._sender = None
                    self._lane.abandon()

    def _settle(self, attempt: Attempt, failure: Failure | None) -> None:
        """Say how an attempt ended, once: what was given up ends as given up."""
        if attempt is not self._current:
            return
        self._current = None
        self._stopwatch.note(time.monotonic() - attempt.began, None if failure is None else failure.kind)
        self._news.note(failure)
        attempt.ok = failure is None
        attempt.finished.set()


def _close(sender: Sender, closed: threads.Event) -> None:
    try:
        sender.close()
    finally:
        closed.set()
