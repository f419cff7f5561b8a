"""Policies for the tests of `compile`: the five documents, and small ones from a few lines."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from slo_otel.plan import SLO, Indicator, Plan
from slo_otel.policy import Policy, compile, load, loads  # noqa: A004 - the word of the design
from slo_otel.units import format_duration

FOLDER = Path(__file__).parents[2] / "examples" / "policies"
DOCUMENTS = ("agentmesh-cloud", "avalo", "dealix-v1", "dealix", "nexus")
_HEAD = "version: slo/v1\nservice: shop\n"


@cache
def policy(document: str) -> Policy:
    """One of the five, read once."""
    return load(FOLDER / f"{document}.yaml")


@cache
def plan(document: str) -> Plan:
    """One of the five, compiled."""
    return compile(policy(document))


def named(found: Plan, name: str) -> SLO:
    """The SLO of this name."""
    return next(slo for slo in found.slos if slo.name == name)


def compiled(text: str) -> Plan:
    """The plan of a few lines of YAML."""
    return compile(loads(_HEAD + text))


def one(text: str) -> SLO:
    """The first SLO of a few lines of YAML."""
    return compiled(text).slos[0]


def sli(text: str, rest: str = "", top: str = "") -> Indicator:
    """The indicator of one SLO named `s` with this SLI, further keys and keys of the file."""
    return one(f"{top}\nslos:\n  - name: s\n    sli: {{{text}}}\n    {rest}\n").indicator


def durations(lengths: tuple[int, ...]) -> str:
    """Nanoseconds as texts."""
    return " ".join(map(format_duration, lengths))
