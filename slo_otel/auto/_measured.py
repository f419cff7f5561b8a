"""From an application that is about to serve to one that is measured. Nothing here reaches the host."""

from __future__ import annotations

from collections.abc import Callable

from slo_otel import instrumentation
from slo_otel.auto._resource import resource
from slo_otel.errors import SloOtelError, guard, logger


class Measured:
    """Configures this process when an application needs it.

    One that calls `configure` and `instrument` itself has done so before it serves, and is left as it is.
    """

    def __init__(self, policy: str) -> None:
        """`policy` is the path of the file."""
        self._policy = policy
        self._expected = False
        self._refused = False

    def expect(self) -> None:
        """An application exists: load what will be needed and read the policy, while no request waits for it."""
        if not self._expected and instrumentation.active() is None:
            self._expected = True
            self._attempt(self._check)

    def measure(self, app: object) -> None:
        """It is about to serve: `configure(policy).instrument(app)`."""
        self._attempt(lambda: self._instrument(app))

    def _attempt(self, set_up: Callable[[], None]) -> None:
        """Mistakes of the set-up are told once, and the service goes on: nobody called us who could be told."""
        if self._refused:
            return
        with guard("the set-up without code"):
            try:
                set_up()
            except SloOtelError as mistake:
                self._refused = True
                logger.error("slo_otel: nothing is measured: %s", mistake)

    def _check(self) -> None:
        from slo_otel.runtime import check

        check(self._policy)

    def _instrument(self, app: object) -> None:
        if instrumentation.active() is None:
            from slo_otel.runtime import configure

            configure(self._policy, resource=resource())
        instrumentation.instrument(app)
