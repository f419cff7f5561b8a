"""The opt-in handler of SIGTERM, for processes that its default action ends: no hook of theirs runs then."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from slo_otel.errors import ConfigurationError, flag, logger

VARIABLE: Final = "SLO_OTEL_SIGTERM"


class Exit:
    """An exit that has begun, and that SIGTERM would cut off: a pool terminates workers that are ending already."""

    def __init__(self) -> None:
        self._under_way = 0
        self._owed = False

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """The exit's hooks run; afterwards comes the signal that arrived meanwhile."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if self._owed and not self._under_way:
                self._owed = False
                signal.raise_signal(signal.SIGTERM)

    def postpones(self) -> bool:
        """Whether the signal is for later; it is remembered."""
        self._owed = self._owed or self._under_way > 0
        return self._under_way > 0


def check() -> None:
    """Raises `ConfigurationError` where the handler is wanted and cannot be set: Python sets them in one thread."""
    if flag(VARIABLE) and threading.current_thread() is not threading.main_thread():
        raise ConfigurationError(f"{VARIABLE} needs configure() to be called in the main thread")


def attach(leaving: Callable[[], None], leave: Exit) -> None:
    """Where it is wanted, send what is left at SIGTERM, then do what would have been done without us.

    A handler that is there goes on as before. One of the server's own code, which is not Python's to call, and
    SIGTERM being ignored stay as they are. What a server sets later replaces this one: it ends by its own hooks.
    """
    if not flag(VARIABLE):
        return
    before = signal.getsignal(signal.SIGTERM)
    if before is None:
        logger.warning("slo_otel: SIGTERM is handled by the server itself; %s changes nothing", VARIABLE)
    elif before is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _handler(leaving, leave, before if callable(before) else None))


def _handler(
    leaving: Callable[[], None], leave: Exit, before: Callable[[int, FrameType | None], object] | None
) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        if leave.postpones():
            return
        leaving()
        if before is not None:
            before(number, frame)
            return
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    return handle
