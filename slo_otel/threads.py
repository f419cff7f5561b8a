"""Threads and locks of the operating system, also where gevent has put greenlets in their place.

After gevent's `monkey.patch_all()` a thread is a greenlet of the application's one thread: ticks and exports would
wait for each request that computes, and each request for them. So they run on a thread of the system, and whatever
both sides touch is guarded by locks that work between such threads. These are held for microseconds, and gevent
switches to no other greenlet meanwhile: nothing patched (a sleep, a socket, a log) is called while one is held.
Else a greenlet that waited for another one there would wait for ever.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _thread import get_ident, start_new_thread
    from queue import SimpleQueue
    from threading import Lock, RLock
    from time import sleep
else:

    def _original(module: str, name: str) -> object:
        """What the standard library has under a name, whatever is in its place by now."""
        monkey = sys.modules.get("gevent.monkey")
        return getattr(import_module(module), name) if monkey is None else monkey.get_original(module, name)

    Lock = _original("_thread", "allocate_lock")
    RLock = _original("_thread", "RLock")
    SimpleQueue = _original("queue", "SimpleQueue")
    get_ident = _original("_thread", "get_ident")
    sleep = _original("time", "sleep")
    start_new_thread = _original("_thread", "start_new_thread")

__all__ = ["Event", "Lock", "RLock", "SimpleQueue", "Thread", "sleep"]


class Event:
    """Set once, by any thread or signal handler, and then for good.

    A lock that is held until then: whoever waits takes it and gives it back. `list.pop` is atomic, so it is given
    back by one of those who set the event at the same time.
    """

    __slots__ = ("_door", "_keys", "_set")

    def __init__(self) -> None:
        self._set = False
        self._keys = [True]
        self._door = Lock()
        self._door.acquire()

    def set(self) -> None:
        """Let everybody go who waits, now and later. Idempotent."""
        try:
            self._keys.pop()
        except IndexError:
            return
        self._set = True
        self._door.release()

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        """Until it is set, or for so many seconds; whether it is."""
        if not self._set:
            limit = -1.0 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX)
            if self._door.acquire(timeout=limit):
                self._door.release()
        return self._set


class Thread:
    """A daemon thread of the operating system."""

    def __init__(self, target: Callable[..., object], args: tuple[Any, ...] = (), *, name: str) -> None:
        self._target = target
        self._args = args
        self._ident: int | None = None
        self._ended = Event()
        self._plain = None if _patched() else threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Run it. Raises `RuntimeError` where no thread can be started any more."""
        if self._plain is not None:
            self._plain.start()
        else:
            start_new_thread(self._run, ())

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._ident is not None and not self._ended.is_set()

    def join(self, timeout: float) -> None:
        """Wait for its end, for so many seconds at most; not for its own."""
        if self.is_alive() and self._ident != get_ident():
            self._ended.wait(timeout) if self._plain is None else self._plain.join(timeout)

    def _run(self) -> None:
        self._ident = get_ident()
        try:
            self._target(*self._args)
        finally:
            self._ended.set()


def _patched() -> bool:
    """Whether gevent has replaced the threads of the standard library."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
