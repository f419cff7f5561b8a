"""Operators on keys: missing, misspelt, doubled."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from slo_otel.policy._model_fields import Section
from tests.policy.mutants.original import Entry, Mutant, Original, any_fits, choose, words

_REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "version": ("version",),
    "service": ("service",),
    "slos": ("slos",),
    "name": ("slos * name", "maintenance * name", "reports * name", "dashboards * name"),
    "sli": ("slos * sli",),
    "type": ("pollers * type", "channels * type"),
    "url": ("pollers * url", "channels * url"),
    "function": ("pollers * function",),
    "under": ("slos * sli under",),
    "within": ("slos * sli within",),
    "key": ("slos * sli key", "channels * key", "pollers * key"),
    "start": ("slos * sli start",),
    "end": ("slos * sli end",),
    "page": ("channels * page",),
    "state": ("budget_policy * state",),
    "deploys": ("budget_policy * deploys",),
    "remaining": ("budget_policy * remaining",),
    "spent_by_deploy": ("budget_policy * spent_by_deploy",),
    "every": ("budget_reset * every", "reports * every", "about review * every", "severities * repeat every"),
    "after": ("severities * escalate * after",),
    "to": ("severities * escalate * to",),
    "show": ("reports * show",),
    "rows": ("dashboards * rows",),
    "items": ("gates * items",),
    "item": ("gates * items * item",),
    "when": ("slos * alerts * when", "slos * alerts * * when", "defaults alerts * when"),
    "path": ("health path",),
    "poller": ("slos * sli from poller",),
    "info": ("slos * sli from info",),
    "query": ("slos * sli from query",),
    **{
        form: (f"slos * sli {form}",)
        for form in words("event success errors latency probe gauge age sum delay deadline duration promql")
    },
    "bad": ("slos * sli promql bad",),
    "total": ("slos * sli promql total",),
}
"""Key to the places where it may not be missing (POLICY.md 3 to 8)."""

_LOOKALIKES: Final = {"a": "а", "e": "е", "o": "о", "c": "с", "p": "р", "i": "і", "s": "ѕ", "l": "ӏ", "n": "ո"}
"""Latin letters and letters of other scripts that look the same."""


def delete_required_key(original: Original, dice: random.Random) -> Mutant | None:
    """A required key with its value becomes blanks.

    What is not there has no line: the error may stand at the line that the key had, or where its mapping begins,
    which is the key above, or the first key that is left.
    """
    entry = choose(dice, filter(_is_required, original.entries))
    if entry is None or original.anchored(entry) or "<<" in entry.mapping.keys or len(entry.mapping.keys) < 2:
        return None
    end = entry.value.end
    if entry.mapping.flow and original.text[end : end + 1] == ",":
        end += 1
    heads = (
        entry.mapping.start,
        *(one.start for one in original.entries if one.path == entry.path[:-1]),
        *sorted(one.start for one in original.entries if one.mapping == entry.mapping and one != entry)[:1],
    )
    shown = f"{'.'.join(map(str, entry.path))} was deleted"
    return original.edit(entry.start, end, original.blank(entry.start, end), *heads, what=shown)


def _is_required(entry: Entry) -> bool:
    return any_fits(entry.path, _REQUIRED.get(entry.key, ()))


def misspell_key(original: Original, dice: random.Random) -> Mutant | None:
    """A key that the language knows gets a typing slip. The error stands at that key."""
    entry = _known(original, dice)
    return None if entry is None else _renamed(original, entry, slip(entry.key, dice))


def disguise_key(original: Original, dice: random.Random) -> Mutant | None:
    """A key is written in another case, or one letter is a same-looking one. The error stands at that key."""
    entry = _known(original, dice)
    letter = None if entry is None else choose(dice, tuple(one for one in entry.key if one in _LOOKALIKES))
    if entry is None or letter is None:
        return None
    alike = entry.key.replace(letter, _LOOKALIKES[letter], 1)
    return _renamed(original, entry, dice.choice((alike, entry.key.upper(), entry.key.capitalize())))


def _known(original: Original, dice: random.Random) -> Entry | None:
    entry = choose(dice, tuple(one for one in original.entries if one.closed))
    return None if entry is None or original.anchored(entry) else entry


def _renamed(original: Original, entry: Entry, key: str) -> Mutant | None:
    return None if key in LEGAL or key == entry.key else original.edit(entry.start, entry.end, key)


def slip(word: str, dice: random.Random) -> str:
    """The word with two letters swapped, one doubled, one left out, or one too many."""
    at = dice.randrange(len(word))
    return dice.choice(
        (
            word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1 :] or "x",
            word[:at] + dice.choice("abcdefghijklmnopqrstuvwxyz") + word[at:],
        )
    )


def duplicate_key(original: Original, dice: random.Random) -> Mutant | None:
    """A key with a short value is written a second time below or beside the first. The error stands at the copy."""
    entry = choose(dice, tuple(one for one in original.entries if one.value.kind == "text"))
    if entry is None or original.anchored(entry) or "\n" in original.text[entry.start : entry.value.end]:
        return None
    copy = original.text[entry.start : entry.value.end]
    if entry.mapping.flow:
        made = original.edit(entry.value.end, entry.value.end, f", {copy}")
        return None if entry.value.flow else made
    below = original.text.index("\n", entry.value.end) + 1
    indent = entry.start - original.text.rindex("\n", 0, entry.start) - 1
    return original.edit(below, below, f"{' ' * indent}{copy}\n")


def _keys(section: type[Section]) -> Iterator[str]:
    yield from section.keys()
    for below in section.__subclasses__():
        yield from _keys(below)


LEGAL: Final = frozenset(_keys(Section))
"""Every key of the language, wherever it belongs: a slip that makes one of them may be legal."""
