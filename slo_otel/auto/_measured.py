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

    def begin(self) -> bool:
        """It is about to serve: configure this process, unless it is. Whether it is measured now."""
        if instrumentation.active() is None:
            self._attempt(self._configure)
        return instrumentation.active() is not None

    def measure(self, app: object) -> None:
        """`configure(policy).instrument(app)`."""
        if self.begin():
            self._attempt(lambda: instrumentation.instrument(app))

    def refuse(self, mistake: SloOtelError) -> None:
        """It cannot be measured: say so, once a process. There is nobody to raise it to but the service."""
        if not self._refused:
            self._refused = True
            logger.error("slo_otel: nothing is measured: %s", mistake)

    def _attempt(self, set_up: Callable[[], object]) -> None:
        if self._refused:
            return
        with guard("the set-up without code"):
            try:
                set_up()
            except SloOtelError as mistake:
                self.refuse(mistake)

    def _check(self) -> None:
        from slo_otel.runtime import check

        check(self._policy)

    def _configure(self) -> None:
        from slo_otel.runtime import configure

        configure(self._policy, resource=resource())
