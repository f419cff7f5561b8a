"""What the tests of the policy room share: the five policies, and problems in a short form."""

from __future__ import annotations

from pathlib import Path

from slo_otel.errors import PolicyError, Problem
from slo_otel.policy import Policy, loads

ROOT = Path(__file__).resolve().parents[2]
POLICIES = tuple(sorted((ROOT / "examples" / "policies").glob("*.yaml")))
HEAD = "version: slo/v1\nservice: shop\n"


def problems(text: str) -> tuple[Problem, ...]:
    """Every error of a text; empty when it is a policy."""
    try:
        loads(text)
    except PolicyError as error:
        return error.problems
    return ()


def only(text: str) -> Problem:
    """The one error of a text."""
    found = problems(text)
    assert len(found) == 1, [str(one) for one in found]
    return found[0]


def slo(body: str, head: str = "") -> str:
    """A policy with one SLO whose keys are `body`, each line indented by four."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"{HEAD}{head}slos:\n  - name: one\n{lines}\n"


def sound(text: str) -> Policy:
    """The policy of a text without mistakes."""
    return loads(text)
