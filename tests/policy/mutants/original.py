"""A sound policy as the operators see it: its text, and where each key, value and list item stands."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

T = TypeVar("T")
Keys: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of the file."""


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


OPEN: Final = words(
    "categories names attributes labels links pollers channels severities tiers each where alerts budget_alerts"
    " rows gates classify_by_daily_budget map"
)
"""Keys whose mapping has the user's names as keys (POLICY.md 3 to 8); every other mapping knows its keys."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A damaged policy. `lines` are the lines, from 1, at one of which an error must stand when it is `invalid`."""

    data: bytes
    lines: frozenset[int]
    invalid: bool
    what: str
    """What was done, for the message of a failure."""


Operator: TypeAlias = Callable[["Original", random.Random], Mutant | None]
"""None: the dice chose a place that this operator cannot damage; the caller rolls again."""


@dataclass(frozen=True, slots=True)
class Value:
    """A text, mapping or list of the file. `start` and `end` are indexes into the text, without trailing blanks."""

    path: Keys
    kind: str
    """`text`, `map` or `list`."""
    text: str
    """Of a text: what it says, quotes resolved."""
    start: int
    end: int
    flow: bool
    keys: tuple[str, ...] = ()
    """Of a mapping."""
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping with its value."""

    value: Value
    start: int
    """Of the key."""
    end: int
    mapping: Value
    index: int

    @property
    def path(self) -> Keys:
        """The keys that lead to the value; the last one is the entry's."""
        return self.value.path

    @property
    def key(self) -> str:
        """The key as written."""
        return str(self.path[-1])

    @property
    def closed(self) -> bool:
        """Whether the language knows every key of the mapping it stands in."""
        above = self.path[:-1]
        return not above or above[-1] not in OPEN


class Original:
    """One policy without a mistake."""

    def __init__(self, path: Path) -> None:
        self.name: Final = path.stem
        self.text: Final = path.read_text(encoding="utf-8")
        self._found: dict[tuple[str, ...], tuple[Value, ...]] = {}

    @cached_property
    def _parts(self) -> tuple[tuple[Value, ...], tuple[Entry, ...]]:
        root = YAML(typ="safe", pure=True).compose(self.text)
        walk = _Walk(self.text)
        walk.value(root, ())
        return tuple(walk.values), tuple(walk.entries)

    @property
    def values(self) -> tuple[Value, ...]:
        """Every value, in the order of the file."""
        return self._parts[0]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every key with its value, in the order of the file."""
        return self._parts[1]

    @cached_property
    def texts(self) -> tuple[Value, ...]:
        """Every text that is a value or an item of a list."""
        return tuple(one for one in self.values if one.kind == "text")

    def texts_at(self, patterns: tuple[str, ...]) -> tuple[Value, ...]:
        """The texts whose path fits one of the patterns."""
        if patterns not in self._found:
            self._found[patterns] = tuple(one for one in self.texts if any_fits(one.path, patterns))
        return self._found[patterns]

    def line(self, index: int) -> int:
        """The line of a place, from 1."""
        return self.text.count("\n", 0, index) + 1

    def edit(self, start: int, end: int, text: str, *more: int, invalid: bool = True, what: str = "") -> Mutant:
        """With `text` in this place. An error counts on the line of the place, and on those of `more` places."""
        data = self.text[:start] + text + self.text[end:]
        lines = frozenset(self.line(at) for at in (start, *more))
        shown = what or f"{self.text[start:end][:60]!r} became {text[:60]!r}"
        return Mutant(data.encode("utf-8", "surrogatepass"), lines, invalid, shown)

    def blank(self, start: int, end: int) -> str:
        """The text of a place as blanks, its line breaks kept, so that every line keeps its number."""
        return "".join(character if character == "\n" else " " for character in self.text[start:end])

    def anchored(self, entry: Entry) -> bool:
        """Whether an alias may point into the value: then the damage is seen where the alias stands."""
        between = self.text[entry.end : entry.value.end]
        return "&" in between or "*" in between


class _Walk:
    """Collects values and entries of a composed tree, what stands behind an alias once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: list[Value] = []
        self.entries: list[Entry] = []
        self._seen: set[int] = set()

    def value(self, node: Node, path: Keys) -> Value:
        made = self._made(node, path)
        if id(node) in self._seen:
            return made
        self._seen.add(id(node))
        self.values.append(made)
        if isinstance(node, MappingNode):
            for index, (key, value) in enumerate(node.value):
                if key.value != "<<":
                    below = self.value(value, (*path, key.value))
                    self.entries.append(Entry(below, key.start_mark.index, key.end_mark.index, made, index))
        elif isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self.value(item, (*path, index))
        return made

    def _made(self, node: Node, path: Keys) -> Value:
        start = node.start_mark.index
        end = start + len(self.text[start : node.end_mark.index].rstrip())
        if isinstance(node, ScalarNode):
            return Value(path, "text", str(node.value), start, end, False, quoted=node.style is not None)
        flow = bool(getattr(node, "flow_style", False))
        if isinstance(node, MappingNode):
            return Value(path, "map", "", start, end, flow, tuple(str(key.value) for key, _ in node.value))
        return Value(path, "list", "", start, end, flow)


def fits(path: Keys, pattern: str) -> bool:
    """Whether a path is `slos * sli` and the like; `*` stands for any one key or index."""
    words = pattern.split()
    pairs = zip(path, words, strict=False)
    return len(path) == len(words) and all(word in ("*", str(key)) for key, word in pairs)


def any_fits(path: Keys, patterns: Sequence[str]) -> bool:
    """Whether a path fits one of the patterns."""
    return any(fits(path, pattern) for pattern in patterns)


def choose(dice: random.Random, found: Iterator[T] | Sequence[T]) -> T | None:
    """One of them; None when there is none."""
    every = tuple(found)
    return dice.choice(every) if every else None
