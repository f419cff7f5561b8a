"""Where exports run: one at a time, on a thread that may be given up, or in the caller's for tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from slo_otel import threads

_MOST_STUCK: Final = 4
"""Threads that were given up and still wait for a peer; more than that and new work is refused."""

Job = Callable[[], None]


class Lane(Protocol):
    """Runs jobs in order. A job never raises."""

    def submit(self, job: Job) -> bool:
        """Run the job, now or as soon as the ones before it have ended. False when it cannot be run."""

    def abandon(self) -> None:
        """Stop waiting for the job that runs now: later ones get a fresh start."""

    def close(self) -> None:
        """Take no more jobs."""


class InlineLane:
    """Runs jobs in the caller's thread, for runtimes that are driven by hand."""

    def submit(self, job: Job) -> bool:
        """Run the job before returning."""
        job()
        return True

    def abandon(self) -> None:
        """Nothing runs between two calls."""

    def close(self) -> None:
        """Nothing to end."""


class ThreadLane:
    """Runs jobs on a daemon thread, which exists from the start: an exiting interpreter can make no new one.

    `submit`, `abandon` and `close` are called under the caller's lock.
    """

    def __init__(self) -> None:
        self._stuck: list[threads.Thread] = []
        self._queue, self._thread = self._begin()

    def submit(self, job: Job) -> bool:
        """Queue the job; False while too many given-up threads still hang."""
        self._stuck = [thread for thread in self._stuck if thread.is_alive()]
        if len(self._stuck) > _MOST_STUCK:
            return False
        self._queue.put(job)
        return True

    def abandon(self) -> None:
        """Leave the thread to its job and go on with another; it ends when the job does."""
        self._queue.put(None)
        self._stuck.append(self._thread)
        self._queue, self._thread = self._begin()

    def close(self) -> None:
        """Let the thread end after what it does now."""
        self._queue.put(None)

    def _begin(self) -> tuple[threads.SimpleQueue[Job | None], threads.Thread]:
        queue: threads.SimpleQueue[Job | None] = threads.SimpleQueue()
        thread = threads.Thread(_serve, (queue,), name="slo-otel-export")
        # While the interpreter exits: what is queued then is never run, and its sender's deadline says so.
        with suppress(RuntimeError):
            thread.start()
        return queue, thread


def _serve(queue: threads.SimpleQueue[Job | None]) -> None:
    while (job := queue.get()) is not None:
        job()
