"""The opt-in handler of SIGTERM, for processes that its default action ends: no hook of theirs runs then."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

from slo_otel.errors import ConfigurationError, flag, logger

VARIABLE: Final = "SLO_OTEL_SIGTERM"


def check() -> None:
    """Raises `ConfigurationError` where the handler is wanted and cannot be set: Python sets them in one thread."""
    if flag(VARIABLE) and threading.current_thread() is not threading.main_thread():
        raise ConfigurationError(f"{VARIABLE} needs configure() to be called in the main thread")


def attach(leaving: Callable[[], None]) -> None:
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
        signal.signal(signal.SIGTERM, _handler(leaving, before if callable(before) else None))


def _handler(
    leaving: Callable[[], None], before: Callable[[int, FrameType | None], object] | None
) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        leaving()
        if before is not None:
            before(number, frame)
            return
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    return handle
