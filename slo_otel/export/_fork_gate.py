"""A process forks between two calls into a library that does not survive a fork within one.

gRPC's core has threads and locks of its own. In the child of a fork during a call they are as the call left them:
of fifty such children that used gRPC at once, eleven crashed. So a fork waits for the call that is under way, cuts
it when it takes too long, and no other begins until the fork is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from slo_otel import threads

WAIT_SECONDS: Final = 0.2
"""How long a fork waits for a call to end by itself."""
CUT_SECONDS: Final = 0.1
"""How long it waits for one that was cut; then it goes on all the same."""


class _Call(NamedTuple):
    """One that is under way."""

    cut: Callable[[], None]
    """Ends it, from another thread."""
    ended: threads.Event


class ForkGate:
    """Calls on one side, forks on the other. Its hooks are registered with `os.register_at_fork`."""

    def __init__(self) -> None:
        self._closed = threads.Lock()
        self._calls: set[_Call] = set()

    @contextmanager
    def call(self, cut: Callable[[], None], seconds: float) -> Iterator[None]:
        """What happens inside is a call. Raises `TimeoutError` where forks leave no room for `seconds`."""
        if not self._closed.acquire(timeout=seconds):
            raise TimeoutError("timed out")
        call = _Call(cut, threads.Event())
        self._calls.add(call)
        self._closed.release()
        try:
            yield
        finally:
            self._calls.discard(call)
            call.ended.set()

    def before_fork(self) -> None:
        """Let no call begin until the fork is over, and wait for those that are under way."""
        self._closed.acquire()
        self._wait(WAIT_SECONDS)
        for call in tuple(self._calls):
            call.cut()
        self._wait(CUT_SECONDS)

    def after_fork(self) -> None:
        """In the parent: calls may begin."""
        self._closed.release()

    def after_fork_in_child(self) -> None:
        """In the child: the threads of the calls are not there."""
        self._calls.clear()
        self._closed.release()

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        for call in tuple(self._calls):
            call.ended.wait(until - time.monotonic())
