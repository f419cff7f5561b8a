"""One SLO, its variants and its alerts (POLICY.md 4), and the keys it takes from `defaults` and `tiers`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from slo_otel.plan import Budgeting, Condition
from slo_otel.policy._grammar import GrammarError, parse_budgeting, parse_condition, parse_window
from slo_otel.policy._model_fields import (
    NOTHING,
    Count,
    Frozen,
    Kebab,
    Many,
    Name,
    Parsed,
    Positive,
    Section,
    Switch,
    Table,
    Text,
    Written,
    short_or,
)
from slo_otel.policy._model_match import ObjectiveField
from slo_otel.policy._model_sli import SliField
from slo_otel.units import Window

SliKind: TypeAlias = Literal[
    "event", "ratio", "promql", "latency", "delay", "deadline", "probe", "gauge", "sum", "age", "duration"
]
"""The kinds of section 7, as `on:` names them."""


class AlertEntry(Section):
    """A condition and what to say when it holds; a text is its `when`."""

    when: Annotated[
        Written[Condition], Parsed(parse_condition, keep=True, like="a condition such as failures > 10 in 10m")
    ]
    on: Many[SliKind] = ()
    """Empty: wherever the condition fits."""
    name: Name | None = None
    min_events: Positive | None = None
    notify: Many[Name] = ()
    runbook: Text | None = None
    message: Text | None = None
    incident: Switch | None = None

    @classmethod
    def from_short(cls, given: object) -> object:
        """A text is its `when`."""
        return {"when": given} if isinstance(given, str) else given

    @classmethod
    def with_short(cls, long: JsonSchemaValue) -> JsonSchemaValue:
        """A text or the mapping."""
        return short_or(long)


Alerts: TypeAlias = Table[Name, Many[AlertEntry]]
"""Severity to its alerts."""


@dataclass(frozen=True, slots=True)
class BudgetAlerts:
    """`none`, `default`, `default(page=P1, ticket=P3)`, or a map like `alerts`."""

    default: bool
    """The default burn-rate alerts of the window (POLICY.md 7)."""
    page: str = "page"
    ticket: str = "ticket"
    alerts: Alerts = NOTHING


_DEFAULT: Final = re.compile(r"default(?:\((.*)\))?")
_NAMED: Final = re.compile(r"\s*(page|ticket)\s*=\s*([\w.\-]+)\s*")
_FIX: Final = "write none, default, default(page=P1, ticket=P3), or a mapping like alerts"


def _budget_word(text: str) -> BudgetAlerts:
    if text == "none":
        return BudgetAlerts(default=False)
    found = _DEFAULT.fullmatch(text)
    if found is None:
        raise GrammarError(f"{text!r} is no set of budget alerts", 0, _FIX)
    names = {"page": "page", "ticket": "ticket"}
    seen: set[str] = set()
    for part in found[1].split(",") if found[1] is not None else ():
        named = _NAMED.fullmatch(part)
        if named is None or named[1] in seen:
            raise GrammarError(f"{part.strip()!r} names no severity", text.index(part, found.start(1)), _FIX)
        names[named[1]] = named[2]
        seen.add(named[1])
    return BudgetAlerts(True, names["page"], names["ticket"])


class _BudgetAlerts:
    """A word or a mapping of alerts."""

    _word = Parsed(_budget_word, like="none, default or a mapping")

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._read, handler.generate_schema(Alerts))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return short_or(handler(schema))

    def _read(self, given: object, alerts: core_schema.ValidatorFunctionWrapHandler) -> object:
        if isinstance(given, Mapping):
            return BudgetAlerts(default=False, alerts=alerts(given))
        return self._word.read(given)


class SloKeys(Section):
    """What `defaults`, a tier, a variant and an SLO have in common. None: not written here."""

    window: Annotated[Window, Parsed(parse_window, like="a window such as 30d")] | None = None
    budgeting: Annotated[Budgeting, Parsed(parse_budgeting, like="a budgeting method")] | None = None
    per: Many[Name] | None = None
    """`none` stays a word here; `dimensions` reads it."""
    where: Frozen[Many[Text]] | None = None
    keep: Many[Name] | None = None
    min_events: Positive | None = None
    min_failures: Count | None = None
    no_data: Literal["skip", "good", "bad"] | None = None
    alerts: Alerts = NOTHING
    budget_alerts: Annotated[BudgetAlerts, _BudgetAlerts()] | None = None
    evaluate: Literal["live", "check"] | None = None
    inherit_alerts: Switch | None = None
    description: Text | None = None
    owner: Text | None = None
    runbook: Text | None = None
    labels: Frozen[Text] | None = None
    context: Many[Text] | None = None

    @property
    def dimensions(self) -> tuple[str, ...] | None:
        """`per` with `none` as no dimension at all; None where it is not written."""
        return () if self.per == ("none",) else self.per


class Variant(SloKeys):
    """One line of `each`: any key of an SLO but `name`, `sli`, `each` and `tier`."""

    objective: Many[ObjectiveField] = ()


class SloEntry(SloKeys):
    """One entry of `slos`, as written."""

    name: Kebab
    sli: SliField
    objective: Many[ObjectiveField] = ()
    each: Table[Kebab, Variant] = NOTHING
    tier: Name | None = None
