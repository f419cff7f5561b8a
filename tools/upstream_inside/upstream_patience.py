"""pytest plugin, on both sides: child processes that the suites start have more time than their authors gave them.

FastAPI starts some tests in an interpreter of their own, with 15 seconds to import half a dozen libraries. On a
busy machine that is a lottery, and it would fall out differently on the two sides.
"""

from __future__ import annotations

import subprocess
from functools import wraps
from typing import Any, Final

FACTOR: Final = 6


def pytest_configure() -> None:
    """Before the first test module is imported."""
    run = subprocess.run

    @wraps(run)
    def patient(*args: Any, timeout: float | None = None, **kwargs: Any) -> object:
        return run(*args, timeout=None if timeout is None else timeout * FACTOR, **kwargs)

    setattr(subprocess, "run", patient)  # noqa: B010 - a function, replaced on purpose
