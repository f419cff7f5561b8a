"""The one lock of this package: never waited for on the record path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from slo_otel.threads import RLock

_WAIT_S: Final = 1.0
"""A fold takes about 0.1 ms. Past this its thread is frozen or gone, and nobody waits for it."""
MOST_AT_ONCE: Final = 1024
"""Events a fold takes at most while a request waits: the bound of its pause (about 0.1 ms)."""


class Gate:
    """Who may fold pending values. Whoever does not get in leaves them where they are, so none is lost.

    The holder says `_inside = True` as the first step of a `try`, and `_inside = False`, then `release`, in its
    `finally`. These are the rules and what they are for:

    - A request only tries (`try_enter`). A fold that a signal handler or `__del__` interrupts is entered again by
      its own thread, and waiting there would wait for ever. The lock is re-entrant and `_inside` tells: a thread
      that gets the lock and finds somebody inside is that somebody. Outside of the `try` a whole fold fits in.
    - A reader waits (`enter`), for a second at most.
    - A handler may raise between `acquire` and the `try`, and then nobody releases. The reader sees that after its
      second: the lock is taken and nobody is inside. It puts a fresh lock in place, and looks once more who is
      inside: without a GIL a holder that was only slow may have got there, and may be about to commit.
    - After a fork the holder may not exist any more; `renew` puts a fresh lock in place too.
    - So a fold commits only if its lock still is the gate's: else another fold may have taken its values, or it
      came back in the child of a fork that it did itself, where the values are its parent's. And only if it is
      still known to be inside: a holder that was given up on says `_inside = False` for its successor when it
      leaves, and a handler of the successor's thread may have folded since.
    """

    __slots__ = ("_inside", "_lock")

    def __init__(self) -> None:
        self._lock = RLock()
        self._inside = False

    def renew(self) -> None:
        """A fresh lock and nobody inside, in the child of a fork."""
        self._lock = RLock()
        self._inside = False

    def try_enter(self) -> RLock | None:
        """The lock, held, or None at once when somebody is inside."""
        lock = self._lock
        return self._alone(lock) if lock.acquire(blocking=False) else None

    def enter(self) -> RLock | None:
        """The lock, held; None when this thread is inside already, or another one for a second."""
        lock = self._lock
        if lock.acquire(False) or lock.acquire(True, _WAIT_S):
            return self._alone(lock)
        if self._inside:
            return None
        self._lock = RLock()
        return self.try_enter()

    def _alone(self, lock: RLock) -> RLock | None:
        if not self._inside:
            return lock
        lock.release()
        return None


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

    def _fold(self, lock: RLock | None) -> None:
        if lock is None:
            return
        try:
            self._inside = True
            n = len(self._pending)
            folded = self._folded + sum(self._pending[:n])
            if self._lock is lock and self._inside:  # the reasons stand above
                self._folded = folded
                del self._pending[:n]
        finally:
            self._inside = False
            lock.release()
