"""Operators on the YAML itself: quotes, brackets, tabs, indentation, documents, encoding."""

from __future__ import annotations

import random
from typing import Final

from tests.policy.mutants.original import Entry, Mutant, Original, choose


def open_quote(original: Original, dice: random.Random) -> Mutant | None:
    """A text loses its closing quote, or gets an opening one. The error stands at the quote."""
    value = choose(dice, original.texts)
    if value is None or original.text[value.start] in "&*":
        return None
    if value.quoted:
        return original.edit(value.end - 1, value.end, "", what=f"{value.text[:40]!r} lost its closing quote")
    return original.edit(value.start, value.start, dice.choice("'\""))


def open_bracket(original: Original, dice: random.Random) -> Mutant | None:
    """A list or mapping in brackets loses the closing one. The error stands where the bracket was opened."""
    value = choose(dice, tuple(one for one in original.values if one.flow))
    if value is None:
        return None
    outer = [one for one in original.values if one.flow and one.start < value.start and value.end < one.end]
    return original.edit(value.end - 1, value.end, "", value.start, *(one.start for one in outer))


def _block(original: Original, dice: random.Random) -> Entry | None:
    return choose(dice, tuple(one for one in original.entries if not one.mapping.flow))


def indent_with_tab(original: Original, dice: random.Random) -> Mutant | None:
    """The blanks before a key become tabs. The error stands on that line."""
    entry = _block(original, dice)
    line = 0 if entry is None else original.text.rindex("\n", 0, entry.start) + 1
    if entry is None or entry.start == line or original.text[line : entry.start].strip(" "):
        return None
    return original.edit(line, entry.start, "\t" * dice.randint(1, 3))


def shift_line(original: Original, dice: random.Random) -> Mutant | None:
    """A key that is not the first of its mapping moves one column out of line. The error stands on that line."""
    entry = _block(original, dice)
    line = 0 if entry is None else original.text.rindex("\n", 0, entry.start) + 1
    if entry is None or not entry.index or original.text[line : entry.start].strip(" "):
        return None
    if dice.random() < 0.5 and entry.start > line:
        return original.edit(line, line + 1, "", what=f"{entry.key} moved to the left")
    return original.edit(line, line, " ", what=f"{entry.key} moved to the right")


def second_document(original: Original, dice: random.Random) -> Mutant | None:
    """A marker of documents stands before a key. The error stands at the marker, or at what follows it."""
    entry = _block(original, dice)
    if entry is None or entry.path == ("version",):
        return None
    line = original.text.rindex("\n", 0, entry.start) + 1
    marker = dice.choice(("---", "--- # next", "...", "...\n---"))
    made = original.edit(line, line, f"{marker}\n")
    return Mutant(
        made.data, frozenset(min(made.lines) + at for at in range(marker.count("\n") + 2)), True, made.what
    )


_BYTES: Final = (
    b"\xff",
    b"\xc3\x28",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xe2\x82",
    b"\x80",
    b"\xf4\x90\x80\x80",
)


def break_encoding(original: Original, dice: random.Random) -> Mutant | None:
    """Bytes that are no UTF-8 stand somewhere. The error stands on that line."""
    at = dice.randrange(len(original.text))
    wrong = dice.choice(_BYTES)
    data = original.text[:at].encode() + wrong + original.text[at:].encode()
    return Mutant(data, frozenset({original.line(at)}), True, f"the bytes {wrong!r}")


_FORBIDDEN: Final = "\0\x01\x07\x1b\x7f\x80\x9b\ufffe\uffff\ue000"


_ESCAPES: Final = (
    r"\0",
    r"\e[2J",
    r"\ud800",
    r"\udfff",
    r"\ue000",
    r"\x7f",
    r"\UFFFFFFFF",
    r"\U00110000",
    r"\q",
    r"\x1",
)


def forbidden_character(original: Original, dice: random.Random) -> Mutant | None:
    """A control character, or an escape that makes one, or half a pair. The error stands on that line."""
    if dice.random() < 0.5:
        at = dice.randrange(len(original.text))
        return original.edit(at, at, dice.choice(_FORBIDDEN))
    value = choose(dice, original.texts)
    if value is None or value.quoted or original.text[value.start] in "&*":
        return None
    escape = dice.choice(_ESCAPES)
    written = value.text.replace("\\", "\\\\").replace('"', '\\"')
    return original.edit(value.start, value.end, f'"{written}{escape}"', what=f"the escape {escape}")


def other_encoding(original: Original, dice: random.Random) -> Mutant | None:
    """The whole file in another encoding. Every line is damaged."""
    encoding = dice.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-7", "cp037"))
    data = original.text.encode(encoding, "replace")
    lines = range(1, data.count(b"\n") + 3)
    return Mutant(data, frozenset(lines), encoding != "utf-7", f"encoded as {encoding}")
