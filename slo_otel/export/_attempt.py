"""One export: the requests of one moment, sent in order, with a deadline of our own and no noise.

The SDK's exporters ignore `timeout_millis` and log every retry (opentelemetry.md 1.5). So whoever wants the result
waits for `finished` and gives up at a deadline; what the exporter logs meanwhile is heard here and goes no further.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import import_module
from typing import Final, cast

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

YIELD_SECONDS: Final = 0.0005
"""Between two requests, so that an event loop in need of the interpreter gets it."""

_NOISY: Final = (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.common._internal",
)

_SYSTEM: Final = re.compile(r"\[Errno -?\d+\] ([^'\")]+)")
_TRANSIENT: Final = re.compile(r"^Transient error (.+?) encountered while exporting ", re.DOTALL)
"""The SDK's line says when it retries, which is not so where we end the attempt."""


class Attempt:
    """Runs once, on a lane. After `cancel` it sends nothing more and its result counts for nothing.

    `patient` False gives up at the first error that the exporter would retry: for a flush to a collector that never
    answered, which must not hold up an exit.
    """

    def __init__(
        self,
        requests: Callable[[], Iterable[MetricsData]],
        deadline: float,
        *,
        patient: bool,
    ) -> None:
        """`deadline` is a value of `time.monotonic()`, in seconds."""
        self._requests = requests
        self.deadline = deadline
        self.began = time.monotonic()
        self.finished = threading.Event()
        self.ok = False
        """Whether everything was sent; final once `finished` is set."""
        self.reason = ""
        """What the exporter said first."""
        self.spent = False
        """The exporter was shut down on the way and cannot be used again."""
        self._patient = patient
        self._cancelled = False
        self._exporter: MetricExporter | None = None

    def cancel(self) -> None:
        """Send nothing more."""
        self._cancelled = True

    def send(self, exporter: MetricExporter) -> str | None:
        """Send every request until one fails: None, or a stable word for why (`rejected`, an exception's class)."""
        self._exporter = exporter
        with _listening(self), _suppressed():
            for request in self._requests():
                error = "cancelled" if self._cancelled else self._export(exporter, request)
                if error is not None:
                    return error
                time.sleep(YIELD_SECONDS)
        return None

    def _export(self, exporter: MetricExporter, request: MetricsData) -> str | None:
        """What the exporter raises is a failed export, not a fault of ours."""
        left = max(self.deadline - time.monotonic(), 0.0)
        try:
            result = exporter.export(request, timeout_millis=left * 1000)
        except Exception as fault:  # noqa: BLE001 - an exporter is foreign code
            self.reason = str(fault)
            return type(fault).__name__
        return None if result is MetricExportResult.SUCCESS else "rejected"

    def heard(self, message: str) -> None:
        """Take what the exporter logged; where there is no patience, a retry ends the attempt."""
        self.reason = self.reason or _plain(message)
        if not self._patient and not self.spent and "retrying" in message and self._exporter is not None:
            self.spent = True
            self._exporter.shutdown()


def _plain(message: str) -> str:
    """What a person needs of an exporter's log line: the system's own words for what happened, else less noise."""
    found = _SYSTEM.search(message) or _TRANSIENT.search(message)
    return found[1] if found else message


_listener = threading.local()


class _Hush(logging.Filter):
    """Keeps what an exporter logs during our exports from the service's log; other exporters' lines pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        attempt = getattr(_listener, "attempt", None)
        if not isinstance(attempt, Attempt):
            return True
        attempt.heard(record.getMessage())
        return False


_HUSH: Final = _Hush()


@contextmanager
def _listening(attempt: Attempt) -> Iterator[None]:
    for name in _NOISY:
        logging.getLogger(name).addFilter(_HUSH)  # adding the same filter twice does nothing
    _listener.attempt = attempt
    try:
        yield
    finally:
        _listener.attempt = None


def _suppressed() -> AbstractContextManager[object]:
    """Keep instrumented HTTP libraries from tracing our own requests, where contrib's instrumentations are."""
    suppress = _suppress_instrumentation()
    return nullcontext() if suppress is None else suppress()


@cache
def _suppress_instrumentation() -> Callable[[], AbstractContextManager[object]] | None:
    try:
        module = import_module("opentelemetry.instrumentation.utils")
    except ImportError:
        return None
    return cast("Callable[[], AbstractContextManager[object]]", module.suppress_instrumentation)
