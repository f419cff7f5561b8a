"""What works but is likely a mistake, and what is worth knowing (POLICY.md 10)."""

from __future__ import annotations

from datetime import date

from slo_otel.errors import Problem
from slo_otel.policy._read import Reading


def remarks(reading: Reading, today: date) -> tuple[Problem, ...]:
    """Warnings and notes of a file."""
    return ()
