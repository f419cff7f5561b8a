"""One export: the requests of one moment, sent in order until one fails, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from typing import Final, cast

from opentelemetry.sdk.metrics.export import MetricsData

from slo_otel import threads
from slo_otel.export._data import taken
from slo_otel.export._halves import divisible, halves
from slo_otel.export._sender import Failure, Sender

_CANCELLED: Final = Failure("timeout", "no answer in time")


class Attempt:
    """Runs once, on a lane. After `cancel` it sends nothing more."""

    def __init__(
        self, requests: Callable[[], Iterable[MetricsData]], seconds: float, *, patient: bool, each: bool = False
    ) -> None:
        """It may take so many seconds: altogether, or `each` request by itself. `patient` as in `Sender.send`."""
        self._requests = requests
        self._renewal = seconds if each else None
        self.began = time.monotonic()
        self.deadline = self.began + seconds
        """A value of `time.monotonic()`."""
        self.finished = threads.Event()
        self.ok = False
        """Whether everything was sent; final once `finished` is set."""
        self._patient = patient
        self.cancelled = False
        """Set by `cancel`, for good."""
        self.arrived = False
        """Whether a request was taken as it was."""
        self.missing: list[MetricsData] = []
        """Requests of which that cannot be said; all of them, once `send` has returned."""

    def cancel(self) -> None:
        """Send nothing more."""
        self.cancelled = True

    def send(self, sender: Sender) -> Failure | None:
        """Send every request until one does not arrive; the first failure. What arrived is told at once."""
        with _suppressed():
            return self._all(sender, self._requests())

    def _all(self, sender: Sender, requests: Iterable[MetricsData]) -> Failure | None:
        first: Failure | None = None
        left = iter(requests)
        for request in left:
            failure = self._send(sender, request)
            first = first or failure
            if failure is not None and not failure.arrived:
                self.missing.extend(left)
                break
        return first

    def _send(self, sender: Sender, request: MetricsData) -> Failure | None:
        """Send a request, in halves where it is too large for the other side."""
        failure = _CANCELLED if self.cancelled else self._ask(sender, request)
        if failure is not None and failure.large and divisible(request):
            return self._all(sender, halves(request))
        self._note(request, failure)
        return failure

    def _ask(self, sender: Sender, request: MetricsData) -> Failure | None:
        if self._renewal is not None:
            self.deadline = time.monotonic() + self._renewal
        return sender.send(request, self.deadline, patient=self._patient)

    def _note(self, request: MetricsData, failure: Failure | None) -> None:
        if failure is None or failure.arrived:
            taken(request)
        if failure is None:
            self.arrived = True
        else:
            self.missing.append(request)


def _suppressed() -> AbstractContextManager[object]:
    """Keep instrumented HTTP libraries from tracing our own requests, where contrib's instrumentations are."""
    suppress = suppression()
    return nullcontext() if suppress is None else suppress()


@cache
def suppression() -> Callable[[], AbstractContextManager[object]] | None:
    """What keeps them from it; imported by the first call. None where they are not installed."""
    try:
        module = import_module("opentelemetry.instrumentation.utils")
    except ImportError:
        return None
    return cast("Callable[[], AbstractContextManager[object]]", module.suppress_instrumentation)
