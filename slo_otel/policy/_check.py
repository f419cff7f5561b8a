"""What cannot work is refused (POLICY.md 10)."""

from __future__ import annotations

from slo_otel.errors import Problem
from slo_otel.policy._check_fit import check_fit
from slo_otel.policy._check_names import check_names
from slo_otel.policy._check_sources import check_sources
from slo_otel.policy._read import Reading
from slo_otel.policy._scene import Scene


def refusals(reading: Reading) -> tuple[Problem, ...]:
    """Every error that the parts of a file make together; those of single values are found while it is read."""
    if reading.document is None or reading.policy is None:
        return ()
    scene = Scene(reading.document, reading.policy)
    check_names(scene)
    check_fit(scene)
    check_sources(scene)
    _check_budget_policy(scene)
    _check_slos(scene)
    return tuple(scene.problems)


def _check_budget_policy(scene: Scene) -> None:
    rules = scene.policy.budget_policy
    if rules and not rules[-1].catches_all and not scene.unsure("budget_policy"):
        scene.say(
            ("budget_policy", len(rules) - 1),
            "a budget policy without a last line that always holds",
            "end it with {remaining: any, state: …, deploys: …}",
            "no-catch-all",
        )


def _check_slos(scene: Scene) -> None:
    written = "slos" in scene.document.keys_at()
    if written and not scene.policy.slos and not scene.unsure("slos"):
        scene.say(("slos",), "a policy without an SLO", "add an entry to slos:", "no-slo", at_key=True)
