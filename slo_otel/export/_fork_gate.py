"""A process forks between two calls into a library that does not survive a fork within one.

gRPC's core has threads and locks of its own. In the child of a fork during a call they are as the call left them:
of fifty such children that used gRPC themselves eleven hung or were aborted. So a fork waits for the call that is
under way, cuts it when it takes too long, and no other begins until the fork is over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

WAIT_SECONDS: Final = 0.2
"""How long a fork waits for a call to end by itself."""
CUT_SECONDS: Final = 0.1
"""How long it waits for one that was cut; then it goes on all the same."""

Cut: TypeAlias = Callable[[], None]
"""Ends a call, from another thread."""


class ForkGate:
    """Calls on one side, forks on the other. Its hooks are registered with `os.register_at_fork`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[Cut] = []
        self._forks = 0

    @contextmanager
    def call(self, cut: Cut, seconds: float) -> Iterator[None]:
        """What happens inside is a call. Raises `TimeoutError` where forks leave no room for `seconds`."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._forks, seconds):
                raise TimeoutError("timed out")
            self._calls.append(cut)
        try:
            yield
        finally:
            with self._changed:
                self._calls.remove(cut)
                self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait until no call is under way, and let none begin: the lock is held until the fork is over."""
        self._changed.acquire()
        self._forks += 1
        if not self._ended(WAIT_SECONDS):
            for cut in tuple(self._calls):
                # Whoever closes a connection waits for its call to end, which takes this lock to say so.
                self._changed.release()
                cut()
                self._changed.acquire()
            self._ended(CUT_SECONDS)

    def after_fork(self) -> None:
        """In the parent: calls may begin."""
        self._forks -= 1
        self._changed.notify_all()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        """In the child: the threads of the calls are not there."""
        self._forks = 0
        self._calls.clear()
        self._changed.release()

    def _ended(self, seconds: float) -> bool:
        return self._changed.wait_for(lambda: not self._calls, seconds)
