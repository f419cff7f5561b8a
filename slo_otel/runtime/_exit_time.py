"""How long the end of a process may wait for its last export, whoever asks.

A server's lifespan, `atexit` and `multiprocessing` each have a hook, and a Collector that hangs would be waited for
by one after the other. What they wait in vain is taken from one allowance.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

ALLOWANCE_SECONDS: Final = 5.0
"""Altogether, until an export arrives again."""
DOUBTFUL_SECONDS: Final = 1.0
"""Altogether, for a Collector that did not take the export before."""


class ExitTime:
    """The allowance of one process."""

    def __init__(self, failing: Callable[[], bool], now: Callable[[], float] = time.monotonic) -> None:
        """`failing` says whether the newest export failed; `now` is in seconds."""
        self._now = now
        self._failing = failing
        self._waited = 0.0

    def spend(self, send: Callable[[float], bool], wanted: float) -> bool:
        """Run `send` with at most `wanted` seconds, of what is left; whether it sent."""
        allowance = DOUBTFUL_SECONDS if self._failing() else ALLOWANCE_SECONDS
        began = self._now()
        sent = send(min(wanted, max(allowance - self._waited, 0.0)))
        self._waited = 0.0 if sent else self._waited + self._now() - began
        return sent
