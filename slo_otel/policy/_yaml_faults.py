"""What the YAML parser refuses, in words that say what to write instead.

Three mistakes of flow style (POLICY.md 1.6) are recognised and repaired in place, so that the rest of the file is
still read: a route with `{`, a text with a comma, a scalar that starts with `>`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ruamel.yaml.error import MarkedYAMLError

from slo_otel.errors import Problem

if TYPE_CHECKING:
    from slo_otel.policy._yaml import Source

HIDDEN: Final = "\ue000"
"""Stands in the place of a character that broke the YAML; a text with it is not checked further."""
_ROUTE: Final = re.compile(r"[^,{}\[\]\n]*/[^,{}\[\]\n]*$")
_PARTS: Final = re.compile(r"(?:\{[^{},\[\]\n]*\}|[^,{}\[\]\n])*")
_BARE_GT: Final = re.compile(r">=?\s*[0-9.]+\s*(?:%|\w{0,3})(?=\s*[\n,}\]#]|\s*$)")
_PATH: Final = re.compile(r"(?:[A-Z]+ +)?/")
_BEFORE_GT: Final = re.compile(r"(?:[:\-?,\[{]\s+|[\[{,]|^\s*)$")
_FIXES: Final = (
    ("mapping values are not allowed", "put a text that contains ': ' into quotes, or check the indentation"),
    ("found unexpected end of stream", "close the quote"),
    ("could not find expected ':'", "write key: value"),
    ("expected <block end>", "check the indentation: keys of one mapping start in the same column"),
    ("expected ',' or", "close the bracket, or put a text with special characters into quotes"),
    ("expected the node content", "close the bracket"),
    ("escape", "use single quotes, or double the backslash"),
)


def explain(source: Source, text: str, error: MarkedYAMLError, index: int) -> Problem:
    """The parser's error at its place; `text` is the source as far as it was repaired."""
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
    if text[index : index + 1] == "\t":
        return source.problem(index, "a tab where spaces are due", "indent with spaces", "yaml")
    fix = next((fix for part, fix in _FIXES if part in words), "put the text into quotes")
    return source.problem(index, f"this is not YAML: {words}", fix, "yaml")


def _quoted(found: re.Match[str] | None) -> str:
    return f'"{found[0].strip()}"' if found else '">…"'


def _greater(text: str, index: int) -> int | None:
    """Where the unquoted text with `>` starts, when that is what the parser stumbled over."""
    line = text.rfind("\n", 0, index) + 1
    for at in range(min(index, len(text) - 1), line - 1, -1):
        if text[at] == ">" and _BEFORE_GT.search(text[line:at]):
            return at
    return None


def _route(text: str, index: int) -> tuple[int, str] | None:
    """Start and whole text of an unquoted route that ends at the `{` at `index`."""
    if text[index : index + 1] != "{":
        return None
    line = text.rfind("\n", 0, index) + 1
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
    if code == "unquoted-route":
        rest = _PARTS.match(text, index)
        length = len(rest[0]) if rest else 0
        return None if not length else f"{text[:index]}{HIDDEN * length}{text[index + length :]}"
    return None
