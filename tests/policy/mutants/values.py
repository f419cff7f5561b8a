"""Operators on values: of another type, empty, too long, too deep, tagged, anchored."""

from __future__ import annotations

import random
from typing import Final

from tests.policy.mutants.original import Entry, Mutant, Original, choose, words

_TEXTS: Final = words(
    "service namespace timezone step enforce_from revision status effective stage owner approver name description"
    " url token type key dsn page window budgeting no_data min_events min_failures inherit_alerts evaluate runbook"
    " tier state every under within probe gauge sum age event duration period unit across poller get json info"
    " query monitor by when respond_within impact version start end fail delay deadline users until after then"
    " path snapshot compare postmortem_above updates_every budget_requests"
)
"""Keys, where the language knows the keys, that take one text and neither a list nor a mapping."""
_MAPPINGS: Final = words(
    "names attributes pollers channels severities tiers defaults about links incidents audit health gates rows each"
    " where alerts sli from labels classify_by_daily_budget promql categories slos dashboards reports"
    " budget_policy budget_reset"
)
"""Keys that take a mapping, or a list of mappings, and no text."""


def swap_type(original: Original, dice: random.Random) -> Mutant | None:
    """A text becomes a mapping or a list of lists, a mapping becomes a text. The error stands at the value."""
    entry = choose(dice, tuple(filter(_has_one_type, original.entries)))
    if entry is None or original.anchored(entry):
        return None
    new = dice.choice(("{a: b}", "[[a], [b]]", "{}")) if entry.value.kind == "text" else dice.choice(("7", "text"))
    return _replaced(original, entry, new)


def _has_one_type(entry: Entry) -> bool:
    if entry.value.kind == "text":
        return entry.closed and entry.key in _TEXTS
    return entry.closed and entry.key in _MAPPINGS


def _replaced(original: Original, entry: Entry, new: str) -> Mutant:
    """The value written as `new` on the line of its key; what stood below becomes blanks."""
    rest = original.blank(entry.end + 1, entry.value.end).lstrip(" ")
    shown = f"{'.'.join(map(str, entry.path))} became {new[:60]!r}"
    return original.edit(entry.end, entry.value.end, f": {new}{rest}", what=shown)


def empty_value(original: Original, dice: random.Random) -> Mutant | None:
    """Nothing is left after a key. The error stands at the key."""
    entry = choose(dice, tuple(one for one in original.entries if one.value.kind == "text"))
    if entry is None or original.anchored(entry):
        return None
    return original.edit(entry.end, entry.value.end, ":")


_LONG: Final = (*(6 * (10_000,)), *(3 * (100_000,)), 900_000)
"""Characters: one in ten is nearly as long as a file may be, since these take longest."""


def very_long_text(original: Original, dice: random.Random) -> Mutant | None:
    """A text of 10,000 to 900,000 characters where a short one is due. In a grammar or a name it is an error."""
    entry = choose(dice, tuple(one for one in original.entries if one.value.kind == "text" and one.closed))
    if entry is None or original.anchored(entry):
        return None
    unit = dice.choice(("9", "a", "a-", "p95 < ", "5xx or ", "{", "$A", "/x", "é", "a.", "'", "99.5% of ", " "))
    long = unit * (dice.choice(_LONG) // len(unit))
    new = "'" + long.replace("'", "''")[: 2 * (len(long) // 2)] + "'"
    return original.edit(
        entry.value.start,
        entry.value.end,
        new,
        invalid=entry.key in ("objective", "window", "step", "every", "min_events", "budgeting", "under", "within"),
        what=f"{'.'.join(map(str, entry.path))} became {len(new)} characters of {unit!r}",
    )


def very_long_line(original: Original, dice: random.Random) -> Mutant | None:
    """10,000 to 100,000 unquoted characters that YAML, a route or a comparison may stumble over."""
    value = choose(dice, original.texts)
    if value is None or value.quoted:
        return None
    unit = dice.choice(
        ("a", "a ", "a > ", "/x ", "/", ">", " ", "- ", "&a ", "!", "!%", "'", "#", ":", ", ", "{", "[", "}")
    )
    new = unit * (dice.choice(_LONG[:-1]) // len(unit)) + dice.choice(("", "{", "]", '"', ": "))
    return original.edit(value.start, value.end, new, invalid=False, what=f"{len(new)} characters of {unit!r}")


def nest_deeply(original: Original, dice: random.Random) -> Mutant | None:
    """A value becomes lists or mappings, 60 to 6,000 deep. The error stands on that line."""
    entry = choose(dice, tuple(one for one in original.entries if one.value.kind == "text"))
    if entry is None or original.anchored(entry):
        return None
    deep = dice.choice((60, 60, 300, 6_000))
    before, after = dice.choice((("[", "]"), ("{a: ", "}"), ("[[a], ", "]"), ("[{a: ", "}]")))
    return original.edit(
        entry.value.start,
        entry.value.end,
        before * deep + "a" + after * deep,
        what=f"{'.'.join(map(str, entry.path))} became {before!r}, {deep} deep",
    )


_TAGS: Final = (
    "!!python/object/apply:os.system",
    "!!python/name:os.system",
    "!custom",
    "!50%",
    "!!binary",
    "!!set",
    "!!omap",
    "!!timestamp",
    "!<tag:yaml.org,2002:python/none>",
)


def add_tag(original: Original, dice: random.Random) -> Mutant | None:
    """A value gets a tag that means nothing here. The error stands at the tag."""
    value = choose(dice, tuple(one for one in original.values if one.path and (one.kind == "text" or one.flow)))
    if value is None or original.text[value.start - 1] != " " or original.text[value.start] in "&*!":
        return None
    return original.edit(value.start, value.start, f"{dice.choice(_TAGS)} ")


def abuse_anchor(original: Original, dice: random.Random) -> Mutant | None:
    """An alias of nothing, of itself, a merge of a text, or a bomb. The error stands where it is written."""
    entry = choose(dice, tuple(one for one in original.entries if one.value.kind == "text"))
    if entry is None or original.anchored(entry):
        return None
    fault = dice.choice(("*nowhere", "&loop [*loop]", "&loop {a: *loop}", "{<<: text}", "{<<: [[a]]}", _bomb()))
    return original.edit(entry.value.start, entry.value.end, fault)


def _bomb() -> str:
    """Nine lists of nine, each of the one before: 9 ** 9 values."""
    levels = ["&a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"&a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 9)]
    return f"[{', '.join(levels)}]"
