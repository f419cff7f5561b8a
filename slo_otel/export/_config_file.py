"""`OTEL_CONFIG_FILE`: OpenTelemetry's declarative configuration, which our own loop does not read.

Its reader is an experimental package of the SDK, and what it makes of the file is an exporter within a reader
within a provider. Ours ride along there (`exporter: slo_otel: {}`), so that all the file says of it holds.
"""

from __future__ import annotations

import os

from slo_otel.errors import logger


def say_unread(endpoint: str) -> None:
    """Where a file is configured, that our own loop sends to `endpoint` all the same, and what to write instead."""
    file = os.environ.get("OTEL_CONFIG_FILE", "").strip()
    if file:
        logger.warning(
            "slo_otel: OTEL_CONFIG_FILE=%s says nothing to slo_otel, which sends to %s as the other OTEL_* "
            "variables have it; name the exporter slo_otel in the file's meter_provider, "
            "or set OTEL_METRICS_EXPORTER=none",
            file,
            endpoint,
        )
