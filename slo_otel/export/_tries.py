"""Trying again: what failed in passing is sent again while there is time (OTLP specification, failures)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from slo_otel import threads
from slo_otel.export._sender import Failure

_FIRST_DELAY: Final = 1.0
"""Seconds before the first retry; each later one waits twice as long, ±20 %."""


class Tries:
    """The tries of one sender. `stop` comes from another thread."""

    def __init__(self) -> None:
        self._stopped = threads.Event()
        self._random = random.Random()  # noqa: S311 - jitter; of its own, a host's seeded generator stays as it is

    def stopped(self) -> bool:
        """Whether nothing is to be sent any more."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End a pause between two tries, and try no more."""
        self._stopped.set()

    def run(self, once: Callable[[], Failure | None], deadline: float, *, patient: bool) -> Failure | None:
        """Try until it arrived or there is no sense or time in trying again; how the last try ended.

        `deadline` is a value of `time.monotonic()`; without patience the first failure is the answer.
        """
        delay = _FIRST_DELAY
        while True:
            failure = once()
            if failure is None or not patient or not failure.passing:
                return failure
            wait = delay * self._random.uniform(0.8, 1.2) if failure.after is None else failure.after
            if time.monotonic() + wait >= deadline or self._stopped.wait(wait):
                return failure
            delay *= 2
