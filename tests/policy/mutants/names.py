"""Operators on names: not declared, no longer declared, declared twice."""

from __future__ import annotations

import random
import re
from typing import Final

from tests.policy.mutants.keys import slip
from tests.policy.mutants.original import Keys, Mutant, Original, any_fits, choose

_REFERENCES: Final = (
    "severities * notify",
    "severities * notify *",
    "severities * repeat to",
    "severities * repeat to *",
    "severities * escalate * to",
    "severities * escalate * to *",
    "incidents via *",
    "incidents open_for *",
    "reports * to",
    "reports * to *",
    "audit to",
    "audit to *",
    "slos * tier",
    "slos * where category",
    "slos * where category *",
    "slos * each * where category",
    "slos * each * where category *",
    "slos * sli from poller",
    "budget_reset * tier",
    "budget_reset * slo",
)
"""Texts that name a severity, channel, tier, category, poller or SLO of the file (POLICY.md 10)."""
_BY_KEY: Final = (
    "slos * alerts *",
    "slos * each * alerts *",
    "defaults alerts *",
    "defaults budget_alerts *",
    "tiers * alerts *",
    "incidents classify_by_daily_budget *",
)
"""Keys that name a severity."""


def undeclared_reference(original: Original, dice: random.Random) -> Mutant | None:
    """A name that must be declared becomes one that is not. The error stands there."""
    texts = [(one.start, one.end) for one in original.texts_at(_REFERENCES) if not one.quoted]
    keys = [(one.start, one.end) for one in original.entries if any_fits(one.path, _BY_KEY)]
    picked = choose(dice, (*texts, *keys))
    if picked is None:
        return None
    name = original.text[slice(*picked)]
    new = dice.choice((slip(name, dice), f"no-{name}", name.upper() + "x", f"{name}.{name}"))
    return None if new in _declared(original) else original.edit(*picked, new)


def _declared(original: Original) -> frozenset[str]:
    named = {one.text for one in original.texts_at(("slos * name",))}
    return frozenset({*named, "log", *(one.key for one in original.entries)})


def rename_definition(original: Original, dice: random.Random) -> Mutant | None:
    """A declared channel, severity, tier or poller gets another name: the uses of the old one are wrong.

    The damage shows where the old name is used, so an error counts on a line with such a use.
    """
    sections = ("channels *", "severities *", "tiers *", "pollers *")
    entry = choose(dice, tuple(one for one in original.entries if any_fits(one.path, sections)))
    if entry is None:
        return None
    kind = {"channels": "channel", "severities": "severity"}.get(str(entry.path[0]), str(entry.path[0])[:-1])
    uses = [one.start for one in original.texts if _uses(kind, one.path) and one.text == entry.key]
    if kind == "severity":
        uses += [one.start for one in original.entries if any_fits(one.path, _BY_KEY) and one.key == entry.key]
    if not uses:
        return None
    changed = original.edit(entry.start, entry.end, f"{entry.key}-old")
    return Mutant(changed.data, frozenset(map(original.line, uses)), True, f"{entry.key} was renamed")


_ENDS: Final = {
    "tier": r"tier$",
    "poller": r"poller$",
    "severity": r"open_for",
    "channel": r"(notify|to|via)( \*)?$",
}
"""How the path of a reference ends, by the kind of the name."""


def _uses(kind: str, path: Keys) -> bool:
    return any(re.search(_ENDS[kind], one) and any_fits(path, (one,)) for one in _REFERENCES)


def duplicate_slo(original: Original, dice: random.Random) -> Mutant | None:
    """An SLO takes the name of another one. The error stands at the later of the two."""
    one, other = dice.sample(original.texts_at(("slos * name",)), 2)
    changed = original.edit(one.start, one.end, other.text)
    return Mutant(changed.data, frozenset({original.line(max(one.start, other.start))}), True, changed.what)
