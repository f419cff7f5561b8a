"""What follows from budgets and alerts: policies, incidents, reports, dashboards, audit (POLICY.md 3 and 8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from slo_otel.plan import Cmp
from slo_otel.policy._grammar import GrammarError, Panel, nearest, parse_panel, parse_window
from slo_otel.policy._grammar_objective import comparison
from slo_otel.policy._grammar_scan import Scanner
from slo_otel.policy._model_fields import (
    NOTHING,
    Calendar,
    Day,
    Duration,
    Frozen,
    Kebab,
    Many,
    Name,
    Parsed,
    Percent,
    Positive,
    Section,
    Text,
    Written,
    refuse,
)
from slo_otel.units import Period, UnitError, Window


class Review(Section):
    """`{every, then, after (how many reviews), or_after: incident}`."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"then": ["after"], "after": ["then"]}})
    every: Calendar
    then: Calendar | None = None
    after: Positive | None = None
    or_after: Literal["incident"] | None = None

    @model_validator(mode="after")
    def _then_and_after_go_together(self) -> Self:
        if (self.then is None) != (self.after is None):
            raise refuse("together", "then and after belong together", "write for example then: quarter, after: 3")
        return self


class Revision(Section):
    """One line of the document's history."""

    revision: Text | None = None
    date: Day | None = None
    change: Text | None = None
    author: Text | None = None


class About(Section):
    """Shown by `lint`, `render`, page and reports; changes no routing. `owner` is the default owner."""

    revision: Text | None = None
    status: Text | None = None
    effective: Day | None = None
    stage: Text | None = None
    owner: Text | None = None
    approver: Text | None = None
    notes: Many[Text] = ()
    links: Frozen[Text] = NOTHING
    review: Many[Review] = ()
    revisions: Many[Revision] = ()


_TIME: Final = r"\d{1,2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?"
_MOMENT: Final = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{_TIME})?|{_TIME}")


def _moment(text: str) -> str:
    if _MOMENT.fullmatch(text) is None:
        raise UnitError(f"{text!r} is no point in time", "write 2026-04-23 02:00, or 02:00 with every")
    return text


Moment: TypeAlias = Annotated[str, Parsed(_moment, like="a point in time such as 2026-04-23 02:00")]


class Maintenance(Section):
    """A time whose events are test traffic to the SLOs it names (none: to all)."""

    name: Name
    since: Moment = Field(alias="from")
    until: Moment = Field(alias="to")
    every: Annotated[Written[Window], Parsed(parse_window, keep=True, like="a period such as week")] | None = None
    slos: Many[Name] = ()
    reason: Text | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """`> 20%` of a budget; `cmp` None is the word `any`."""

    cmp: Cmp | None
    ratio: Fraction = Fraction(0)


def _share(text: str) -> Share:
    scanner = Scanner(text)
    found = Share(None) if scanner.word("any") else Share(comparison(scanner), scanner.percent())
    scanner.finish('write "> 50%" or any')
    return found


ShareField: TypeAlias = Annotated[Share, Parsed(_share, like='a comparison such as "> 50%", or any')]


class BudgetRule(Section):
    """One line of `budget_policy`: the first that holds gives the state."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["remaining"]}, {"required": ["spent_by_deploy"]}]}
    )
    remaining: ShareField | None = None
    spent_by_deploy: ShareField | None = None
    state: Name
    deploys: Many[Name]
    """`("all",)`: every kind."""
    require: Many[Name] = ()

    @model_validator(mode="after")
    def _has_one_test(self) -> Self:
        if (self.remaining is None) == (self.spent_by_deploy is None):
            raise refuse(
                "budget-rule",
                "a line needs one of remaining and spent_by_deploy",
                'write remaining: "> 50%" or any',
            )
        return self

    @property
    def catches_all(self) -> bool:
        """Whether it always holds."""
        return self.remaining is not None and self.remaining.cmp is None


_EVERY: Final = (*(period.value for period in Period), "continuous")


def _reset(text: str) -> Period | None:
    if text not in _EVERY:
        raise GrammarError(f"{text!r} is no period", 0, nearest(text, _EVERY))
    return None if text == "continuous" else Period(text)


class BudgetReset(Section):
    """One line of `budget_reset`: an accounting view, the first that fits."""

    every: Annotated[Period | None, Parsed(_reset, like="a period or continuous")]
    """None: never."""
    tier: Name | None = None
    window: Annotated[Window, Parsed(parse_window, like="a window such as 30d")] | None = None
    slo: Name | None = None
    kind: Name | None = None


class Incidents(Section):
    """When an incident opens and who hears of it."""

    open_for: Many[Name] = ()
    via: Many[Name] = ()
    classify_by_daily_budget: Frozen[ShareField] = NOTHING
    """Ordered; the first that holds."""
    postmortem_above: Percent | None = None
    updates_every: Duration | None = None


PanelField: TypeAlias = Annotated[
    Written[Panel], Parsed(parse_panel, keep=True, like="a panel such as status of all")
]


class Report(Section):
    """A report that is sent."""

    name: Kebab
    every: Calendar
    show: Many[PanelField]
    to: Many[Name] = ()
    compare: Literal["previous"] | None = None


class Dashboard(Section):
    """Rows of panels by title."""

    name: Kebab
    rows: Frozen[Many[PanelField]]


class Audit(Section):
    """What is written down, and where to."""

    to: Many[Name] = ()
    events: Many[Literal["breach", "alert", "incident", "acknowledgement", "budget"]] = ()
    snapshot: Calendar | None = None


class Health(Section):
    """The health endpoint: probe SLOs or registered callables."""

    path: Text
    checks: Many[Name] = ()
