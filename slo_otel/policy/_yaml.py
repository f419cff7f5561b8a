"""YAML 1.2 as a tree of texts with positions (POLICY.md 1.2 and 1.6).

Nodes are composed from the parser's events and never constructed: `007`, `1.10`, `no`, `12:30` and `2024-12-31`
stay the text that was written. Every fault of the file is a `Problem`, never an exception.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from slo_otel.errors import Problem
from slo_otel.policy._yaml_faults import HIDDEN, UNPRINTABLE, Reached, beyond_unicode, explain, open_quote, repaired

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 50
MAX_REPAIRS: Final = 20
MAX_VALUES: Final = 50_000
"""Values of the file with its aliases written out: an alias bomb passes it at once."""
_MESSAGE: Final = 240
_FIX: Final = 420
"""More than any legal word or list of them takes: what is longer quotes a text that nobody reads to its end."""
_SHOWN: Final = 80
"""Characters of a tag that a message shows."""
_OWN_TAG: Final = re.compile(r"(?:tag:yaml\.org,2002:|!!)(?:str|int|float|bool|map|seq)|!")
_ENDLESS_TAG: Final = re.compile(r"(?<![^\s,\[{])!\S{1000}")
"""The parser decodes a tag in the square of its length."""


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One text. `text` is None where nothing is written. `start` and `end` are indexes into the source."""

    text: str | None
    start: int
    end: int
    style: str | None = None
    size: int = 1

    @property
    def hidden(self) -> bool:
        """Whether it was repaired to read on: its mistake is already reported."""
        return self.text is not None and HIDDEN in self.text


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A key with its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """A mapping in the order of the file, merge keys resolved."""

    entries: dict[str, Entry]
    start: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    start: int
    size: int


Node: TypeAlias = Scalar | Map | Sequence


class Source:
    """The text of a file, and where an index into it is."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self._starts = [0, *(found.end() for found in re.finditer("\r\n|\r|\n", text))]

    def position(self, index: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        from bisect import bisect_right

        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1

    def problem(self, index: int, message: str, fix: str | None, code: str) -> Problem:
        """An error at this place. What quotes an endless text is shortened."""
        line, column = self.position(index)
        shown = None if fix is None else _shortened(fix, _FIX)
        return Problem(self.file, line, column, _shortened(message, _MESSAGE), shown, code=code)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 3 :]}"


class _StopError(Exception):
    """Reading cannot go on; the problem says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read(source: Source) -> tuple[Node | None, tuple[Problem, ...]]:
    """The tree of a file and what is wrong with its YAML; no tree when it cannot be read to its end."""
    problems: list[Problem] = []
    refused = _refused(source)
    if refused is not None:
        return None, (refused,)
    text = source.text
    while True:
        composer = _Composer(Source(text, source.file))
        try:
            node = composer.document()
        except _StopError as stop:
            return None, (*problems, *composer.problems, stop.problem)
        except MarkedYAMLError as error:
            problem, index = explain(source, text, error, composer.reached)
        except (ValueError, OverflowError) as error:
            problem, index = beyond_unicode(source, text, error, composer.reached)
        except (YAMLError, RecursionError, AssertionError) as error:
            words = f"this is not YAML: {_first_line(error)}"
            return None, (*problems, source.problem(composer.reached.index, words, None, "yaml"))
        else:
            return node, (*problems, *composer.problems)
        problems.append(problem)
        better = repaired(text, index, problem.code)
        if better is None or len(problems) >= MAX_REPAIRS:
            return None, (*problems, *composer.problems)
        text = better


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _refused(source: Source) -> Problem | None:
    if len(source.text) > MAX_CHARACTERS:
        return source.problem(0, f"a file of more than {MAX_CHARACTERS} characters", "split the policy", "too-long")
    endless = _ENDLESS_TAG.search(source.text)
    if endless is not None:
        return source.problem(endless.start(), "a tag of more than 1000 characters", "remove the tag", "tag")
    found = UNPRINTABLE.search(source.text)
    if found is None:
        return None
    fix = "save the file as UTF-8, or remove it" if found[0] == "\0" else "remove it"
    return source.problem(found.start(), f"the character {found[0]!r} may not stand in a file", fix, "character")


class _Composer:
    """Makes the tree of one document from its events."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node | None] = {}
        self.reached = Reached(source.text)
        self.events = self.reached.through(YAML(typ="safe", pure=True).parse(source.text))

    def document(self) -> Node | None:
        """The one document of the file; None for an empty file."""
        node: Node | None = None
        documents = 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.stop(
                        event,
                        "a second document in the file",
                        "remove the line --- or ... between them",
                        "second-document",
                    )
                node = self.node(next(self.events), 0)
        return node

    def stop(self, event: Event, message: str, fix: str, code: str) -> NoReturn:
        raise _StopError(self.source.problem(event.start_mark.index, message, fix, code))

    def say(self, index: int, message: str, fix: str, code: str) -> None:
        self.problems.append(self.source.problem(index, message, fix, code))

    def node(self, event: Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.stop(event, f"nested more than {MAX_DEPTH} deep", "write it flatter", "too-deep")
        if isinstance(event, AliasEvent):
            return self.alias(event)
        self.check_tag(event)
        anchor = event.anchor if isinstance(event, NodeEvent) else None
        if anchor is not None:
            self.anchors[anchor] = None
        made = self.made(event, depth)
        if anchor is not None:
            self.anchors[anchor] = made
        if made.size > MAX_VALUES:
            self.stop(event, f"more than {MAX_VALUES} values, aliases included", "use fewer aliases", "alias-bomb")
        return made

    def made(self, event: Event, depth: int) -> Node:
        if isinstance(event, SequenceStartEvent):
            return self.sequence(event, depth)
        if isinstance(event, MappingStartEvent):
            return self.mapping(event, depth)
        return self.scalar(event)

    def check_tag(self, event: Event) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and _OWN_TAG.fullmatch(str(tag)) is None:
            start = event.start_mark.index
            written = self.source.text[start : start + _SHOWN].split()[0]
            self.say(start, f"the tag {written} means nothing here", "remove the tag", "tag")

    def alias(self, event: AliasEvent) -> Node:
        name = event.anchor
        if name not in self.anchors:
            self.stop(
                event, f"no anchor &{name} stands above", f"write &{name} at the value that is meant", "alias"
            )
        node = self.anchors[name]
        if node is None:
            self.stop(event, f"*{name} stands inside its own anchor", "write the value out", "recursive-alias")
        return node

    def scalar(self, event: Event) -> Scalar:
        if not isinstance(event, ScalarEvent):
            self.stop(event, "nothing is written here", "write a value", "empty")
        start, end = event.start_mark.index, event.end_mark.index
        if event.style is None and not event.value:
            return Scalar(None, start, end)
        if event.style == ">" and re.match(r">[0-9]", self.source.text[start:end]):
            self.say(start, "a text that starts with '>' is not quoted", "put it into quotes", "unquoted-gt")
            return Scalar(HIDDEN, start, end)
        if event.style in ("'", '"') and self.source.text.startswith("#", end):
            self.stop_at_quote(event)
        text = str(event.value)
        escaped = UNPRINTABLE.search(text) if event.style == '"' else None
        if escaped is not None and HIDDEN not in self.source.text[start:end]:
            message = f"the text has the character {escaped[0]!r}, written as an escape"
            self.say(start, message, "remove the escape, or double its backslash", "character")
            return Scalar(HIDDEN, start, end)
        return Scalar(text, start, end, event.style)

    def stop_at_quote(self, event: ScalarEvent) -> NoReturn:
        """The parser takes `"text"#…` for a text and a comment; YAML does not: likely a quote is missing above."""
        start = event.start_mark.index
        if self.reached.quote == start:
            raise _StopError(open_quote(self.source, start))
        self.stop(event, "'#' stands right behind a closing quote", "put a space between them", "yaml")

    def sequence(self, event: SequenceStartEvent, depth: int) -> Sequence:
        items: list[Node] = []
        size = 1
        while not isinstance(inner := next(self.events), SequenceEndEvent):
            items.append(self.node(inner, depth + 1))
            size += items[-1].size
            self.bound(size, inner)
        return Sequence(tuple(items), event.start_mark.index, size)

    def bound(self, size: int, event: Event) -> None:
        if size > MAX_VALUES:
            self.stop(event, f"more than {MAX_VALUES} values, aliases included", "use fewer aliases", "alias-bomb")

    def mapping(self, event: MappingStartEvent, depth: int) -> Map:
        entries: dict[str, Entry] = {}
        merged: list[tuple[Scalar, Node]] = []
        size = 1
        while not isinstance(inner := next(self.events), MappingEndEvent):
            key = self.node(inner, depth + 1)
            value = self.node(next(self.events), depth + 1)
            size += key.size + value.size
            self.bound(size, inner)
            if isinstance(key, Scalar) and key.text == "<<" and key.style is None:
                merged.append((key, value))
            else:
                self.add(entries, key, value, flow=bool(event.flow_style))
        for key, value in merged:
            self.merge(entries, key, value)
        return Map(entries, event.start_mark.index, size)

    def add(self, entries: dict[str, Entry], key: Node, value: Node, *, flow: bool) -> None:
        if not isinstance(key, Scalar) or key.text is None:
            self.say(key.start, "a key that is no text", "write a name before the colon", "key")
        elif flow and key.text.endswith(":") and key.style is None and isinstance(value, Scalar):
            name = key.text[:-1]
            self.say(key.start, f"nothing is written after {name!r}", "write a value, or remove the key", "empty")
            entries[name] = Entry(key, Scalar(HIDDEN, value.start, value.end))
        elif flow and isinstance(value, Scalar) and value.text is None and not self.has_colon(key):
            fix = 'put the whole text, with its comma, into quotes: "one, two"'
            self.say(key.start, "a text with a comma inside {…} is not quoted", fix, "unquoted-comma")
        elif key.text in entries:
            line, _ = self.source.position(entries[key.text].key.start)
            fix = f"remove one; the first stands in line {line}"
            self.say(key.start, f"the key {key.text!r} stands twice", fix, "duplicate-key")
        else:
            entries[key.text] = Entry(key, value)

    def has_colon(self, key: Scalar) -> bool:
        return self.source.text[key.end :].lstrip().startswith(":")

    def merge(self, entries: dict[str, Entry], key: Scalar, value: Node) -> None:
        """What is written wins over what is merged, the earlier mapping over the later (YAML merge keys)."""
        for one in value.items if isinstance(value, Sequence) else (value,):
            if not isinstance(one, Map):
                self.say(key.start, "'<<' merges mappings only", "write <<: *name of a mapping", "merge")
                continue
            for name, entry in one.entries.items():
                entries.setdefault(name, entry)
