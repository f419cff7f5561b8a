"""From a regular expression of a URLconf to the template of its paths: `^page-(?P<n>\\d+)/$` becomes `page-{n}/`.

What a path may vary in is a placeholder: a named group by its name, everything else as `{arg}`. What may be absent
and names nothing is left out, as `reverse` does. Never a text that a client sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

UNNAMED: Final = "{arg}"
"""Where a path varies without a name. One that a policy can write: its parameters are names too."""
_NAMED: Final = re.compile(r"\(\?P<(\w+)>")
_PLAIN: Final = re.compile(r"\(\?(?:[aiLmsux-]*:|>)")
"""A group that only holds together: `(?:...)`, `(?i:...)`, `(?>...)`."""
_QUANTIFIER: Final = re.compile(r"(?:([*?])|\+|\{(\d*)(?:,\d*)?\})[?+]?")
_CLASSES: Final = frozenset("dDsSwW")
_NOWHERE: Final = frozenset("AbBZz")
"""Escapes that match a position."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one element of the expression adds to the template, and where the next one begins."""

    text: str
    end: int
    named: bool = False
    """Whether it holds a named group: then it stays even if it may be absent."""


def template_of(regex: str) -> str:
    """The template of a regular expression, without `^` and `$`; `{arg}` where it has alternatives as a whole."""
    return UNNAMED if _has_alternatives(regex) else _joined(regex)


def _joined(regex: str) -> str:
    parts: list[str] = []
    at = 0
    while at < len(regex):
        part = _part(regex, at)
        at = part.end
        quantifier = _QUANTIFIER.match(regex, at)
        if quantifier is not None:
            at = quantifier.end()
        absent = quantifier is not None and bool(quantifier[1] or quantifier[2] in ("", "0"))
        keeps = part.named or part.text == UNNAMED
        if part.text and not (absent and not keeps) and not (part.text == UNNAMED and parts[-1:] == [UNNAMED]):
            parts.append(part.text)
    return "".join(parts)


def _part(regex: str, at: int) -> _Part:
    match regex[at]:
        case "^" | "$":
            return _Part("", at + 1)
        case ".":
            return _Part(UNNAMED, at + 1)
        case "[":
            return _class(regex, at)
        case "(":
            return _group(regex, at)
        case "\\":
            return _escape(regex, at)
        case literal:
            return _Part(literal, at + 1)


def _escape(regex: str, at: int) -> _Part:
    meant = regex[at + 1 : at + 2]
    if meant in _NOWHERE:
        return _Part("", at + 2)
    return _Part(UNNAMED if meant in _CLASSES or meant.isdigit() else meant, at + 2)


def _class(regex: str, at: int) -> _Part:
    """A class of characters; one of a single character is that character."""
    end = _end_of_class(regex, at)
    inside = regex[at + 1 : end - 1]
    return _Part(inside if len(inside) == 1 else UNNAMED, end)


def _group(regex: str, at: int) -> _Part:
    end = _end_of_group(regex, at)
    if named := _NAMED.match(regex, at):
        return _Part(f"{{{named[1]}}}", end, named=True)
    if plain := _PLAIN.match(regex, at):
        inside = regex[plain.end() : end - 1]
        return _Part(template_of(inside), end, named="(?P<" in inside)
    if regex.startswith("(?", at):  # flags, comments, what must or must not follow
        return _Part(UNNAMED if regex.startswith("(?P=", at) else "", end)
    return _Part(UNNAMED, end)


def _has_alternatives(regex: str) -> bool:
    at = 0
    while at < len(regex):
        if regex[at] == "|":
            return True
        at = _after(regex, at)
    return False


def _after(regex: str, at: int) -> int:
    """Where the element that begins here ends."""
    match regex[at]:
        case "\\":
            return at + 2
        case "[":
            return _end_of_class(regex, at)
        case "(":
            return _end_of_group(regex, at)
        case _:
            return at + 1


def _end_of_class(regex: str, at: int) -> int:
    at += 2 if regex.startswith("[^", at) else 1
    at += regex.startswith("]", at)  # as the first one it is a character
    while at < len(regex) and regex[at] != "]":
        at += 2 if regex[at] == "\\" else 1
    return at + 1


def _end_of_group(regex: str, at: int) -> int:
    at += 1
    while at < len(regex) and regex[at] != ")":
        at = _after(regex, at)
    return at + 1
