"""What `configure` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from slo_otel.evaluation import Scope, StatusSet

if TYPE_CHECKING:
    from slo_otel.plan import Plan
    from slo_otel.runtime._assembly import Runtime

App = TypeVar("App")


class Handle:
    """The running runtime of this process; with `SLO_OTEL_DISABLED` one that does nothing."""

    __slots__ = ("_policy", "_runtime")

    def __init__(self, runtime: Runtime | None, policy: str | None = None) -> None:
        """`runtime` None is the handle of a disabled process; `policy` is the path of the file."""
        self._runtime = runtime
        self._policy = policy

    def __repr__(self) -> str:
        """The service, whether it measures, and the policy's file."""
        if self._runtime is None:
            return "<slo_otel.Handle: disabled by SLO_OTEL_DISABLED>"
        plan = self._runtime.plan
        service = "/".join(filter(None, (plan.namespace, plan.service)))
        state = "running" if self.running else "shut down"
        file = "" if self._policy is None else f", policy {self._policy!r}"
        return f"<slo_otel.Handle of {service}: {state}{file}>"

    def instrument(self, app: App) -> App:
        """Wrap an application in place, outermost, and return it: Starlette, FastAPI or Flask."""
        if self._runtime is None:
            return app
        from slo_otel import instrumentation

        return instrumentation.instrument(app)

    def flush(self, timeout: float = 5) -> bool:
        """Send everything recorded until now. False when it did not arrive within `timeout` seconds."""
        return True if self._runtime is None else self._runtime.flush(timeout)

    def shutdown(self, timeout: float = 5) -> bool:
        """Flush, stop the thread, and make everything a no-op again. False when the flush failed. Idempotent."""
        return True if self._runtime is None else self._runtime.shutdown(timeout)

    def status(self) -> StatusSet:
        """The newest evaluation: every SLO and group at the last tick."""
        if self._runtime is None:
            return StatusSet(0, Scope.PROCESS, "", ())
        return self._runtime.status()

    @property
    def running(self) -> bool:
        """Whether it measures: False when disabled and after `shutdown`."""
        return self._runtime is not None and self._runtime.running

    @property
    def plan(self) -> Plan | None:
        """The compiled policy; None when disabled."""
        return None if self._runtime is None else self._runtime.plan

    def _tick(self) -> None:
        """Do what the runtime's thread would do now: for those who own the clock."""
        if self._runtime is not None:
            self._runtime.step()

    def _end(self, timeout: float) -> None:
        """`shutdown` for a hook at the end of the process."""
        if self._runtime is not None:
            self._runtime.last_shutdown(timeout)

    def _leave(self, timeout: float) -> None:
        """`flush` for a hook that may be the last one of the process."""
        if self._runtime is not None:
            self._runtime.last_flush(timeout)

    def _after_fork(self) -> None:
        if self._runtime is not None:
            self._runtime.after_fork()
