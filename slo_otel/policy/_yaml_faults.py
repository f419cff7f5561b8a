"""What the YAML parser refuses, in words that say what to write instead.

Three mistakes of flow style (POLICY.md 1.6) are recognised and repaired in place, so that the rest of the file is
still read: a route with `{`, a text with a comma, a scalar that starts with `>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ruamel.yaml.error import MarkedYAMLError, StringMark
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, Event, ScalarEvent

from slo_otel.errors import Problem

if TYPE_CHECKING:
    from slo_otel.policy._yaml import Source

HIDDEN: Final = "\ue000"
"""Stands in the place of a character that broke the YAML; a text with it is not checked further."""
UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue001-\ufffd\U00010000-\U0010ffff]")
"""What no text may hold: control characters, halves of pairs, and the one that `HIDDEN` is."""
_POLICY_INSIDE: Final = re.compile(r"\n[ ]*(?:- +)*(?:[\w.\-]+:\s|- |#)")
_ENDED: Final = re.compile(r"[ ]*(?:[^\s#,'\"{}\[\]][^,'\"{}\[\]\n]*:(?:\s|$)|- |[}\]])")
"""How a line begins that is no part of the text or bracket above it."""
_TOO_HIGH: Final = re.compile(r"\\U(?!0010|000[0-9A-Fa-f])[0-9A-Fa-f]{8}")
_ROUTE: Final = re.compile(r"[^,{}\[\]\n]*/[^,{}\[\]\n]*$")
_PARTS: Final = re.compile(r"(?:\{[^{},\[\]\n]*\}|[^,{}\[\]\n])*")
_BARE_GT: Final = re.compile(r">=?\s*[0-9.]+\s*(?:%|\w{0,3})(?=\s*[\n,}\]#]|\s*$)")
_PATH: Final = re.compile(r"(?:[A-Z]+ +)?/")
_BEFORE_GT: Final = re.compile(r"(?:[:\-?,\[{]\s+|[\[{,]|^\s*)$")
_LOOK_BACK: Final = 400
_ESCAPE_FIX: Final = "use single quotes, or double the backslash"
_IN_OUR_WORDS: Final = (
    (
        "mapping values are not allowed",
        "a second ': ' in one line, or a key out of line",
        "put a text that contains ': ' into quotes, or check the indentation",
    ),
    ("could not find expected ':'", "a key without ': ' after it", "write key: value"),
    (
        "expected <block end>",
        "this does not line up with what stands above",
        "check the indentation: keys of one mapping, and the - of one list, start in the same column",
    ),
    (
        "expected ',' or",
        "this stands where a comma or the closing bracket is due",
        "close the bracket, or put a text with special characters into quotes",
    ),
    ("expected the node content", "a value is due here", "write a value, or close the bracket"),
    ("expected URI escape", "'!' at the beginning makes a tag, where '%' has no place", "put the text into quotes"),
    ("that cannot start any token", "a text may not start with this character", "put the text into quotes"),
)
"""A part of what the parser says; the same for people who do not know its grammar; what to write instead."""


class Reached:
    """How far the events of a text came: what its fault may have to do with."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.index = 0
        """Where the last event ends."""
        self.quote: int | None = None
        """The first quoted text with lines of a policy inside: its closing quote is likely that of another text."""
        self._open: list[int | None] = []

    def through(self, events: Iterator[Event]) -> Iterator[Event]:
        """The same events, each noted before it is passed on."""
        for event in events:
            self.index = event.end_mark.index
            if isinstance(event, CollectionStartEvent):
                self._open.append(event.start_mark.index if event.flow_style else None)
            elif isinstance(event, CollectionEndEvent):
                self._open.pop()
            elif isinstance(event, ScalarEvent) and event.style in ("'", '"') and self.quote is None:
                self._note_quote(event.start_mark.index)
            yield event

    def _note_quote(self, start: int) -> None:
        if _POLICY_INSIDE.search(self.text, start, self.index):
            self.quote = start

    def bracket(self, index: int) -> int | None:
        """The bracket that should have been closed before this place; None when none is to blame."""
        opened = self._open[-1] if self._open else None
        if opened is None:
            return None
        line, before = (self.text.rfind("\n", 0, at) + 1 for at in (index, opened))
        wrong = _ENDED.match(self.text, line) and _indent(self.text, line) <= _indent(self.text, before)
        return opened if line > before and (wrong or index >= len(self.text.rstrip())) else None


def _indent(text: str, line: int) -> int:
    rest = text[line : line + 200]
    return len(rest) - len(rest.lstrip(" "))


def explain(source: Source, text: str, error: MarkedYAMLError, reached: Reached) -> tuple[Problem, int]:
    """The parser's error at its place, and its index; `text` is the source as far as it was repaired."""
    index = _index(error.problem_mark) or _index(error.context_mark)
    opened = _opened(source, error, index, reached)
    return (_explained(source, text, error, index) if opened is None else opened), index


def _index(mark: object) -> int:
    return mark.index if isinstance(mark, StringMark) else 0


def _opened(source: Source, error: MarkedYAMLError, index: int, reached: Reached) -> Problem | None:
    """The quote or bracket that is not closed where it should be: the parser only sees what comes of it."""
    scanning = "scanning a quoted scalar" in (error.context or "") and "unexpected" in (error.problem or "")
    quote = _index(error.context_mark) if scanning and reached.quote is None else reached.quote
    if quote is not None:
        return open_quote(source, quote)
    bracket = reached.bracket(index)
    if bracket is None:
        return None
    closing = {"[": "]", "{": "}"}.get(source.text[bracket], "the bracket")
    message = f"the bracket {source.text[bracket]} that opens here is not closed"
    return source.problem(bracket, message, f"write {closing} where the list or mapping ends", "open-bracket")


def open_quote(source: Source, index: int) -> Problem:
    """At the quote that opens a text and is closed by that of another one, or never."""
    fix = "close it where the text ends, in the same line"
    return source.problem(index, "the quote that opens here is not closed", fix, "open-quote")


def beyond_unicode(
    source: Source, text: str, error: ValueError | OverflowError, reached: Reached
) -> tuple[Problem, int]:
    """The escape that names no character: the parser says so without a place."""
    found = _TOO_HIGH.search(text, reached.index)
    if found is None:
        return source.problem(reached.index, f"this is not YAML: {error}", None, "yaml"), reached.index
    message = f"the escape {found[0]} is no character"
    return source.problem(found.start(), message, _ESCAPE_FIX, "escape"), found.start()


def _explained(source: Source, text: str, error: MarkedYAMLError, index: int) -> Problem:
    greater = _greater(text, index)
    if greater is not None:
        shown = _quoted(_BARE_GT.match(text, greater))
        return source.problem(greater, "a text that starts with '>' is not quoted", f"write {shown}", "unquoted-gt")
    route = _route(text, index)
    if route is not None:
        start, whole = route
        return source.problem(
            start, "a route with '{' inside {…} or […] is not quoted", f'write "{whole}"', "unquoted-route"
        )
    words = f"{error.context or ''} {error.problem or ''}".strip()
    if "escape" in words and "URI" not in words:
        at = text.rfind("\\", 0, index + 1)
        return source.problem(at, f"the escape {text[at : at + 2]} is no character", _ESCAPE_FIX, "escape")
    if text[index : index + 1] == "\t":
        return source.problem(index, "a tab where spaces are due", "indent with spaces", "yaml")
    said = ((ours, fix) for part, ours, fix in _IN_OUR_WORDS if part in words)
    message, fix = next(said, (words, "put the text into quotes"))
    return source.problem(index, f"this is not YAML: {message}", fix, "yaml")


def _quoted(found: re.Match[str] | None) -> str:
    return f'"{found[0].strip()}"' if found else '">…"'


def _line_before(text: str, index: int) -> int:
    """Where the line of a place begins, or 400 characters before it: looking further back costs their square."""
    return max(text.rfind("\n", 0, index) + 1, index - _LOOK_BACK)


def _greater(text: str, index: int) -> int | None:
    """Where the unquoted text with `>` starts, when that is what the parser stumbled over."""
    line = _line_before(text, index)
    for at in range(min(index, len(text) - 1), line - 1, -1):
        if text[at] == ">" and _BEFORE_GT.search(text[line:at]):
            return at
    return None


def _route(text: str, index: int) -> tuple[int, str] | None:
    """Start and whole text of an unquoted route that ends at the `{` at `index`."""
    if text[index : index + 1] != "{":
        return None
    line = _line_before(text, index)
    before = _ROUTE.search(text[line:index])
    if before is None:
        return None
    raw = before[0]
    after = raw.rsplit(": ", 1)[-1]
    if _PATH.match(after.strip()) is None:  # a URL may hold a secret, and is never shown
        return None
    start = index - len(after.lstrip())
    rest = _PARTS.match(text, index)
    return start, f"{text[start:index]}{rest[0] if rest else ''}".strip()


def repaired(text: str, index: int, code: str) -> str | None:
    """The text with the recognised mistake hidden, every other character in its place; None for other mistakes."""
    if code == "unquoted-gt":
        at = _greater(text, index)
        return None if at is None else f"{text[:at]}{HIDDEN}{text[at + 1 :]}"
    if code == "escape":
        at = text.rfind("\\", 0, index + 1)
        length = 10 if _TOO_HIGH.match(text, at) else 2
        return f"{text[:at]}{HIDDEN * length}{text[at + length :]}"
    if code == "unquoted-route":
        rest = _PARTS.match(text, index)
        length = len(rest[0]) if rest else 0
        return None if not length else f"{text[:index]}{HIDDEN * length}{text[index + length :]}"
    return None
