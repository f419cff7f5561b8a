"""What works but is likely a mistake, and what is worth knowing (POLICY.md 10).

Not decidable from the file alone, and so not here: traffic too small for a target or a `min_events`, names that no
code records, routes that do not exist, overdue drills.
"""

from __future__ import annotations

from datetime import date

from slo_otel.errors import Problem
from slo_otel.policy._lint_attributes import warn_of_attributes
from slo_otel.policy._lint_budget import warn_of_budgets
from slo_otel.policy._lint_file import note_file, warn_of_file
from slo_otel.policy._lint_matches import warn_of_matches
from slo_otel.policy._lint_slos import warn_of_slos
from slo_otel.policy._read import Reading
from slo_otel.policy._scene import Scene


def remarks(reading: Reading, today: date) -> tuple[Problem, ...]:
    """Warnings and notes of a file, each once."""
    if reading.document is None or reading.policy is None:
        return ()
    scene = Scene(reading.document, reading.policy)
    warn_of_matches(scene)
    warn_of_attributes(scene)
    warn_of_budgets(scene)
    warn_of_slos(scene)
    warn_of_file(scene, today)
    note_file(scene)
    return tuple(dict.fromkeys(scene.problems))
