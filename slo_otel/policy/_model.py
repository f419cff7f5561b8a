"""The whole policy file as one frozen value (POLICY.md 3)."""

from __future__ import annotations

from typing import Annotated, Literal

from slo_otel.plan import Predicate
from slo_otel.policy._model_effects import (
    About,
    Audit,
    BudgetReset,
    BudgetRule,
    Dashboard,
    Health,
    Incidents,
    Maintenance,
    Report,
)
from slo_otel.policy._model_fields import (
    NOTHING,
    Day,
    Frozen,
    Many,
    Name,
    Parsed,
    Section,
    Table,
    Text,
    TimeZone,
    duration,
)
from slo_otel.policy._model_gates import Gate
from slo_otel.policy._model_match import Category, PredicateField
from slo_otel.policy._model_routing import ChannelField, PollerField, Severity
from slo_otel.policy._model_slo import SloEntry, SloKeys
from slo_otel.units import MINUTE_NS, SECOND_NS, UnitError, format_duration


def _step(text: str) -> int:
    length = duration(text)
    if MINUTE_NS % length:
        raise UnitError(f"a step of {format_duration(length)} does not divide 60s", "write 1s, 5s, 10s, 15s or 30s")
    return length


class Policy(Section):
    """What a service promises: the file, checked. `load` makes it, `compile` turns it into a `Plan`."""

    version: Literal["slo/v1"]
    service: Text
    namespace: Text | None = None
    step: Annotated[int, Parsed(_step, like="a duration such as 15s")] = 15 * SECOND_NS
    timezone: TimeZone = "UTC"
    enforce_from: Day | None = None
    labels: Frozen[Text] = NOTHING
    about: About = About()
    categories: Table[Name, Category] = NOTHING
    names: Frozen[Name] = NOTHING
    attributes: Frozen[Name] = NOTHING
    synthetic: PredicateField = Predicate()
    pollers: Table[Name, PollerField] = NOTHING
    channels: Table[Name, ChannelField] = NOTHING
    severities: Table[Name, Severity] = NOTHING
    defaults: SloKeys = SloKeys()
    tiers: Table[Name, SloKeys] = NOTHING
    slos: Many[SloEntry]
    maintenance: Many[Maintenance] = ()
    budget_policy: Many[BudgetRule] = ()
    budget_reset: Many[BudgetReset] = ()
    budget_requests: Literal["allowed"] | None = None
    incidents: Incidents | None = None
    reports: Many[Report] = ()
    dashboards: Many[Dashboard] = ()
    gates: Table[Name, Gate] = NOTHING
    audit: Audit | None = None
    health: Health | None = None
