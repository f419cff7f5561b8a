"""Whether OpenTelemetry is switched off in this process (specification, general SDK configuration)."""

from __future__ import annotations

import os


def sdk_disabled() -> bool:
    """`OTEL_SDK_DISABLED`: no telemetry leaves the process, whatever code sets up; only `true` means it.

    Service levels go on being counted and evaluated: `status()` and `budget()` are no telemetry.
    """
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
