"""Functions as a service: between two invocations the process stands still, and its threads with it."""

from __future__ import annotations

import os
from typing import Final

from slo_otel.errors import flag

VARIABLE: Final = "SLO_OTEL_SERVERLESS"
_PLATFORMS: Final = ("AWS_LAMBDA_FUNCTION_NAME", "FUNCTION_TARGET")
"""What AWS Lambda and Google's functions set in the processes they run."""


def serverless() -> bool:
    """Whether ticks and exports happen in `Handle.flush` alone: as the variable says, else by the platform."""
    if os.environ.get(VARIABLE, "").strip():
        return flag(VARIABLE)
    return any(os.environ.get(name) for name in _PLATFORMS)
