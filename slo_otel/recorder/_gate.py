"""The one lock of this package: never waited for on the record path."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

_WAIT_S: Final = 1.0
"""A fold takes about 0.1 ms. Past this its thread is frozen or gone, and nobody waits for it."""
MOST_AT_ONCE: Final = 1024
"""Events a fold takes at most while a request waits: the bound of its pause (about 0.1 ms)."""


class Gate:
    """Who may fold pending values. Whoever does not get in leaves them where they are, so none is lost.

    - A request only tries (`try_enter`). A fold that a signal handler or `__del__` interrupts is entered again by
      its own thread, and waiting there would wait for ever.
    - A reader waits (`enter`), but not for itself: `_owner` is this thread's identity only if this thread wrote
      it, so a snapshot taken from within a fold sees that. And it never waits for longer than a second.
    - After a fork the holder may not exist any more. `renew` puts a fresh lock in place; a fold that was under way
      when its own thread forked finds that its lock is not the gate's, and commits nothing.
    """

    __slots__ = ("_lock", "_owner")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0

    def renew(self) -> None:
        """A fresh lock, for the child of a fork."""
        self._lock = threading.Lock()
        self._owner = 0

    def try_enter(self) -> threading.Lock | None:
        """The lock, held, or None at once when somebody is inside."""
        lock = self._lock
        if not lock.acquire(blocking=False):
            return None
        self._owner = threading.get_ident()
        return lock

    def enter(self) -> threading.Lock | None:
        """The lock, held; None when this thread is inside already, or another one for a second."""
        lock = self._lock
        if self._owner == threading.get_ident() or not lock.acquire(timeout=_WAIT_S):
            return None
        self._owner = threading.get_ident()
        return lock

    def leave(self, lock: threading.Lock) -> None:
        """Let the next one in."""
        self._owner = 0
        lock.release()


class Counter(Gate):
    """A count that any thread may raise without losing one: `recorder.late_changes += 1` is exact.

    `int += 1` is a read and a write, between which another thread may write. Here `+=` appends, which is atomic,
    and assigns the same object again.
    """

    __slots__ = ("_append", "_folded", "_pending")

    def __init__(self) -> None:
        super().__init__()
        self._pending: list[int] = []
        self._append: Callable[[int], None] = self._pending.append
        self._folded = 0

    def add(self, n: int = 1) -> None:
        """Count `n` more."""
        self._append(n)
        if len(self._pending) >= MOST_AT_ONCE:
            self._fold(self.try_enter())

    def __iadd__(self, n: int) -> Counter:
        self.add(n)
        return self

    @property
    def value(self) -> int:
        """What was counted since the start or the last `restart`."""
        self._fold(self.enter())
        return self._folded

    def __int__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Counter({self.value})"

    def restart(self) -> None:
        """Back to zero in the child of a fork, where no other thread runs."""
        self.renew()
        self._pending.clear()
        self._folded = 0

    def _fold(self, lock: threading.Lock | None) -> None:
        if lock is None:
            return
        try:
            n = len(self._pending)
            folded = self._folded + sum(self._pending[:n])
            # The fold of a cell says why exactly these `n` are taken, and why the lock is compared.
            if self._lock is lock:
                self._folded = folded
                del self._pending[:n]
        finally:
            self.leave(lock)
