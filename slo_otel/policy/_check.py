"""What cannot work is refused (POLICY.md 10)."""

from __future__ import annotations

from slo_otel.errors import Problem
from slo_otel.policy._read import Reading


def refusals(reading: Reading) -> tuple[Problem, ...]:
    """Every error that the parts of a file make together; those of single values are found while it is read."""
    return ()
