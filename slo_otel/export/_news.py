"""What is said of exports: one line when they begin to fail, one when they arrive again."""

from __future__ import annotations

import logging
from collections import deque

from slo_otel.errors import logger
from slo_otel.export._sender import Failure


class News:
    """How exports go. `note` is called under a lock, `speak` without: a log handler may do anything."""

    def __init__(self, name: str) -> None:
        """`name` is where exports go."""
        self._name = name
        self._lines: deque[tuple[int, str]] = deque()
        self.failing = False
        """Whether the newest export failed."""
        self.answered = False
        """Whether any export ever arrived."""

    def note(self, failure: Failure | None) -> None:
        """Take how an export ended."""
        if failure is not None and not self.failing:
            line = f"no export to {self._name} ({failure.reason}); totals are kept and sent when it answers"
            self._lines.append((logging.WARNING, line))
        elif failure is None and self.failing:
            self._lines.append((logging.INFO, f"exports to {self._name} arrive again"))
        self.failing = failure is not None
        self.answered = self.answered or failure is None

    def speak(self) -> None:
        """Log what is new."""
        while self._lines:
            level, line = self._lines.popleft()
            logger.log(level, "slo_otel: %s", line)
