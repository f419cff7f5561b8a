"""An exporter that the user gave: foreign code, which is listened to, kept quiet, and never shut down on the way.

The SDK's exporters ignore `timeout_millis` and log every retry (opentelemetry.md 1.5). So whoever wants the result
gives up at a deadline of their own; what the exporter logs meanwhile is heard here and goes no further.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from slo_otel.errors import logger
from slo_otel.export._sender import Failure, plain

_NOISY: Final = (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.common._internal",
)


class GivenSender:
    """Sends through a `MetricExporter`. It is the user's, so it can be neither stopped nor replaced."""

    def __init__(self, exporter: MetricExporter) -> None:
        self._exporter = exporter

    def send(self, data: MetricsData, deadline: float, *, patient: bool) -> Failure | None:
        """Hand the request over. What the exporter raises is a failed export, not a fault of ours."""
        left = max(deadline - time.monotonic(), 0.0)
        heard: list[str] = []
        with _listening(heard.append):
            try:
                result = self._exporter.export(data, timeout_millis=left * 1000)
            except Exception as fault:  # noqa: BLE001 - an exporter is foreign code
                return Failure(type(fault).__name__, str(fault))
        if result is MetricExportResult.SUCCESS:
            return None
        return Failure("rejected", plain(heard[0]) if heard else "rejected")

    def stop(self) -> None:
        """Whether and when a call ends is the exporter's affair."""

    def close(self) -> None:
        """Shut the exporter down: the runtime ends."""
        try:
            self._exporter.shutdown()
        except Exception:  # noqa: BLE001 - foreign code; the runtime ends whatever it does
            logger.debug("slo_otel: the exporter failed to shut down", exc_info=True)


_listener = threading.local()


class _Hush(logging.Filter):
    """Keeps what an exporter logs during our exports from the service's log; other exporters' lines pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        hear: Callable[[str], None] | None = getattr(_listener, "hear", None)
        if hear is None:
            return True
        hear(record.getMessage())
        return False


_HUSH: Final = _Hush()


@contextmanager
def _listening(hear: Callable[[str], None]) -> Iterator[None]:
    for name in _NOISY:
        logging.getLogger(name).addFilter(_HUSH)  # adding the same filter twice does nothing
    _listener.hear = hear
    try:
        yield
    finally:
        _listener.hear = None
