"""`match` of the grammar: `http`, routes and names."""

from __future__ import annotations

import re
from typing import Final

from slo_otel.plan import HttpTerm, Match, NameTerm, RouteTerm, Term
from slo_otel.policy._grammar_scan import NAME, Scanner, nearest

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
"""RFC 9110 section 9 and RFC 5789; every other method is recorded as `_OTHER`, so no route can name it."""
_METHOD: Final = re.compile(r"([^\s/|]+)\s+(?=/)")
_PATH: Final = re.compile(r"/[^\s|]*")
_BAR: Final = re.compile(r"\|")
_TEXT: Final = re.compile(r"[^\s/{}*|]+")
_BRACED: Final = re.compile(rf"\{{{NAME}\}}")
_CONVERTED: Final = re.compile(rf"\{{({NAME}):[^}}]*\}}")


def parse_match(text: str) -> Match:
    """`http`, `POST /orders/{id} | webhook`. Raises `GrammarError`."""
    scanner = Scanner(text)
    terms = [_term(scanner)]
    while scanner.take(_BAR):
        terms.append(_term(scanner))
    scanner.finish("terms are separated by ' | '")
    return Match(tuple(terms))


def _term(scanner: Scanner) -> Term:
    if scanner.starts(_PATH) or scanner.starts(_METHOD):
        return _route(scanner)
    start = scanner.at
    name = scanner.name("'http', a route such as 'POST /orders/{id}', or a name")
    if name in _METHODS:
        scanner.fail(
            f"the method {name!r} without its path", f"write {name} and a path that begins with '/'", start
        )
    return HttpTerm() if name == "http" else NameTerm(name)


def _route(scanner: Scanner) -> RouteTerm:
    method = _method(scanner) if scanner.starts(_METHOD) else None
    start = scanner.at
    found = scanner.take(_PATH)
    path = found[0] if found else "/"
    return RouteTerm(method, _segments(scanner, path, start))


def _method(scanner: Scanner) -> str:
    start = scanner.at
    found = scanner.take(_METHOD)
    method = found[1] if found else ""
    if method not in _METHODS:
        scanner.fail(f"unknown method {method!r}", nearest(method, _METHODS), start)
    return method


def _segments(scanner: Scanner, path: str, start: int) -> tuple[str, ...]:
    """The segments of a path; `{x}` is `*`. An empty one may only be last (a trailing slash)."""
    if path == "/":
        return ()
    parts = path[1:].split("/")
    at = start + 1
    segments = []
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        segments.append(_segment(scanner, part, at, last=last))
        at += len(part) + 1
    return tuple(segments)


def _segment(scanner: Scanner, part: str, at: int, *, last: bool) -> str:
    if part == "*" or _BRACED.fullmatch(part):
        return "*"
    if part == "**" and not last:
        scanner.fail(
            "'**' stands for the rest of a path", "write '*' for one segment, or end the path with '**'", at
        )
    if part == "**" or _TEXT.fullmatch(part) or (last and not part):
        return part
    return scanner.fail(*_bad_segment(part), at)


def _bad_segment(part: str) -> tuple[str, str]:
    """Message and fix for a segment that is neither text, `*`, `{name}` nor `**`."""
    if not part:
        return "an empty segment", "write one '/' between segments"
    if converted := _CONVERTED.fullmatch(part):
        return f"a converter in {part!r}", f"write {{{converted[1]}}} for one segment, or end the path with '**'"
    return f"{part!r} mixes text and a placeholder", "write '*' or '{name}' for the whole segment"
