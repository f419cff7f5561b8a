"""The policy of the project, read without starting anything: for commands and checks."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from slo_otel_django import _settings

if TYPE_CHECKING:
    from slo_otel import StatusSet
    from slo_otel.plan import Plan


def path() -> Path | None:
    """The policy that the settings name, or else SLO_OTEL_POLICY. Raises `ConfigurationError`."""
    return path_in(_settings.read())


def path_in(given: _settings.Settings) -> Path | None:
    """The same of settings that were read already."""
    named = given.policy or os.environ.get("SLO_OTEL_POLICY")
    return Path(named) if named else None


def unreadable(policy: Path, fault: OSError) -> str:
    """A sentence for a policy that cannot be read; a path that is not below BASE_DIR is below where this runs."""
    place = "" if policy.is_absolute() else f" (from {Path.cwd()})"
    return f"cannot read the policy {str(policy)!r}{place}: {fault.strerror}"


def plan_of(policy: Path) -> Plan:
    """The compiled policy. Raises `PolicyError`, and `OSError` where the file cannot be read."""
    from slo_otel import policy as language

    return language.compile(language.load(policy))


def without_events(plan: Plan) -> StatusSet:
    """What a process that has served nothing knows of its service levels."""
    from slo_otel import StatusSet
    from slo_otel.evaluation import needs, statuses
    from slo_otel.ledger import MemoryLedger

    ledger = MemoryLedger(plan)
    now_ns = time.time_ns()
    at_ns = now_ns - now_ns % plan.step_ns
    found = tuple(statuses(plan, ledger.answer(needs(plan, at_ns)), at_ns))
    return StatusSet(at_ns, ledger.scope, plan.service, found, plan.unsupported)
