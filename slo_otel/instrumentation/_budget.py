"""`budget`: code reads its own error budget, and degrades."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slo_otel.errors import swallow
from slo_otel.instrumentation._active import active
from slo_otel.instrumentation._bounds import text_of
from slo_otel.units import SECOND_NS

if TYPE_CHECKING:
    from slo_otel.evaluation import Scope, State, StatusSet


@dataclass(frozen=True, slots=True)
class Budget:
    """The error budget of one SLO and group, as of its last evaluation."""

    remaining: float | None
    """1.0 is untouched, 0.0 spent, negative overspent; None while it is unknown."""
    state: State
    """The state of the SLO."""
    as_of: datetime | None
    """The end of the window it was evaluated over, UTC; None before the first evaluation."""
    scope: Scope
    """Whose events it covers."""

    def below(self, ratio: float) -> bool:
        """Whether less than `ratio` of the budget is left; False when that is unknown."""
        return self.remaining is not None and self.remaining < ratio


def budget(slo: str, **group: str) -> Budget:
    """The budget of `slo`; `group` names every attribute of its `per`, as in `region="eu"`.

    Reads the last evaluation and never waits. Unknown (no runtime, no evaluation yet, no such SLO or group) is a
    `Budget` whose `remaining` is None.
    """
    running = active()
    if running is None:
        return _unknown(None)
    try:
        running.declared.check_slo(slo)
        return _found(running.statuses(), slo, group)
    except Exception as fault:  # noqa: BLE001 - reading a budget must not break the host
        swallow(fault, "budget")
        return _unknown(None)


def _unknown(statuses: StatusSet | None) -> Budget:
    # Imported when code first asks: decorating a library must not load the evaluation.
    from slo_otel.evaluation import Scope, State

    return Budget(None, State.NO_DATA, None, Scope.PROCESS if statuses is None else statuses.scope)


def _found(statuses: StatusSet | None, slo: str, group: dict[str, str]) -> Budget:
    if statuses is None:
        return _unknown(None)
    status = statuses.find(slo, {name: text_of(value) for name, value in group.items()})
    if status is None:
        return _unknown(statuses)
    remaining = None if status.budget is None else status.budget.remaining
    return Budget(remaining, status.state, datetime.fromtimestamp(status.as_of_ns / SECOND_NS, UTC), statuses.scope)
