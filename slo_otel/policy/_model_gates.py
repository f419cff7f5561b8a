"""`gates` (POLICY.md 8): what has to hold before something goes live."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic.json_schema import JsonSchemaValue

from slo_otel.policy._grammar import GrammarError
from slo_otel.policy._model_fields import Many, Parsed, Positive, Section, Variable, Written, short_or
from slo_otel.units import UnitError, parse_duration


class GateKind(StrEnum):
    """The items that are checked; `FREE` ones are closed by hand."""

    VALID = "policy is valid"
    TIER = "tier N on dashboard NAME"
    ROUTED = "severities are routed"
    LINKS = "FILE links dashboard NAME"
    SELFTEST = "selftest passed within D"
    SLO = "slo NAME is ok"
    DRILL = "drill NAME within D"
    CHECK = "check FILE passed within D"
    FREE = "free text"


@dataclass(frozen=True, slots=True)
class GateItem:
    """One thing to hold. Which fields are set depends on the kind."""

    kind: GateKind
    subject: str | None = None
    """The tier, file, SLO or drill it names."""
    dashboard: str | None = None
    within_ns: int | None = None


_NAME: Final = r"[\w.\-]+"
_PATTERNS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (GateKind.VALID, r"policy is valid"),
        (GateKind.TIER, rf"tier (?P<subject>{_NAME}) on dashboard (?P<dashboard>{_NAME})"),
        (GateKind.ROUTED, r"severities are routed"),
        (GateKind.LINKS, rf"(?P<subject>\S+) links dashboard (?P<dashboard>{_NAME})"),
        (GateKind.SELFTEST, r"selftest passed within (?P<within>.+)"),
        (GateKind.SLO, rf"slo (?P<subject>{_NAME}) is ok"),
        (GateKind.DRILL, rf"drill (?P<subject>{_NAME}) within (?P<within>.+)"),
        (GateKind.CHECK, r"check (?P<subject>\S+) passed within (?P<within>.+)"),
    )
)
_MEANT: Final = {
    "check": GateKind.CHECK,
    "drill": GateKind.DRILL,
    "slo": GateKind.SLO,
    "tier": GateKind.TIER,
    "selftest": GateKind.SELFTEST,
}


def parse_item(text: str) -> GateItem:
    """One item; a text that starts like a checked one and is none raises `GrammarError`."""
    for kind, pattern in _PATTERNS:
        found = pattern.fullmatch(text)
        if found is not None:
            parts = found.groupdict()
            within = _within(parts["within"], found.start("within")) if "within" in parts else None
            return GateItem(kind, parts.get("subject"), parts.get("dashboard"), within)
    meant = _MEANT.get(text.split(" ", 1)[0])
    if meant is None and "links dashboard" in text:
        meant = GateKind.LINKS
    if meant is not None:
        raise GrammarError(f"{text!r} is no item that can be checked", 0, f"write {meant.value!r}, or other words")
    return GateItem(GateKind.FREE)


def _within(text: str, at: int) -> int:
    try:
        return parse_duration(text)
    except UnitError as error:
        raise GrammarError(str(error), at, error.fix) from None


class GateEntry(Section):
    """An item, and what it waits for; a text is its `item`."""

    item: Annotated[Written[GateItem], Parsed(parse_item, keep=True)]
    blocked_on: Many[Variable] = ()
    """Environment variables, only tested for being set."""

    @classmethod
    def from_short(cls, given: object) -> object:
        """A text is its `item`."""
        return {"item": given} if isinstance(given, str) else given

    @classmethod
    def with_short(cls, long: JsonSchemaValue) -> JsonSchemaValue:
        """A text or the mapping."""
        return short_or(long)


class Gate(Section):
    """Items, and how many the document says there are."""

    items: Many[GateEntry]
    of: Positive | None = None
    blocked_on: Many[Variable] = ()
