"""The tree of a file as plain data for the model, and back from a place in the model to line and column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from slo_otel.errors import Level, Problem
from slo_otel.policy._grammar import closest
from slo_otel.policy._yaml import Map, Node, Scalar, Sequence, Source

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of the file: `("slos", 3, "alerts", "P1", 0)`."""
Data: TypeAlias = "str | list[Data] | dict[str, Data] | None"


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the file: where it stands, and the key it stands under."""

    path: Path
    node: Node
    key: Scalar | None


class Document:
    """A file whose parts may be left out (`without`), so that one mistake hides no other."""

    def __init__(self, source: Source, root: Node, left_out: frozenset[Path] = frozenset()) -> None:
        self.source = source
        self.root = root
        self.left_out = left_out or frozenset(_hidden(root, ()))
        self._kept: dict[Path, list[int]] = {}

    def without(self, paths: frozenset[Path]) -> Document:
        """The same file, less these parts."""
        return Document(self.source, self.root, self.left_out | paths)

    def data(self) -> Data:
        """What the model reads: texts, lists and dictionaries; None where nothing is written."""
        return self._data(self.root, ())

    def _data(self, node: Node, path: Path) -> Data:
        if isinstance(node, Scalar):
            return node.text
        if isinstance(node, Sequence):
            return [self._data(node.items[at], (*path, at)) for at in self._indexes(node, path)]
        return {
            key: self._data(entry.value, (*path, key))
            for key, entry in node.entries.items()
            if (*path, key) not in self.left_out
        }

    def _indexes(self, node: Sequence, path: Path) -> list[int]:
        """The places of a list that are not left out, worked out once: every place below it asks."""
        if path not in self._kept:
            self._kept[path] = [at for at in range(len(node.items)) if (*path, at) not in self.left_out]
        return self._kept[path]

    def place(self, location: tuple[str | int, ...]) -> tuple[Place, tuple[str | int, ...]]:
        """The node of a place in the model, and the parts of the location that the file does not have.

        The model has parts of its own: the index 0 of a list of one that is written as a scalar, the key of a long
        form that is written short, the tag of a union. They stay at the node where they are.
        """
        here = Place((), self.root, None)
        missing: list[str | int] = []
        for part in location:
            below = self._below(here, part)
            if below is None:
                missing.append(part)
            else:
                here, missing = below, []
        return here, tuple(missing)

    def _below(self, here: Place, part: str | int) -> Place | None:
        node = here.node
        if isinstance(node, Map) and str(part) in node.entries:
            entry = node.entries[str(part)]
            return Place((*here.path, str(part)), entry.value, entry.key)
        if isinstance(node, Sequence) and isinstance(part, int):
            indexes = self._indexes(node, here.path)
            if part < len(indexes):
                at = indexes[part]
                return Place((*here.path, at), node.items[at], None)
        return None

    def problem(
        self,
        location: tuple[str | int, ...],
        message: str,
        fix: str | None,
        code: str,
        *,
        level: Level = "error",
        offset: int | None = None,
        at_key: bool = False,
    ) -> Problem:
        """A problem at the value of a place, or at its key; `offset` counts characters into its text."""
        place, _ = self.place(location)
        if at_key and place.key is not None:
            index = place.key.start
        elif offset is not None and isinstance(place.node, Scalar):
            index = self._inside(place.node, offset)
        else:
            index = self._start(place)
        return replace(self.source.problem(index, message, fix, code), level=level)

    def _start(self, place: Place) -> int:
        if isinstance(place.node, Scalar) and place.node.text is None and place.key is not None:
            return place.key.start
        return place.node.start

    def _inside(self, scalar: Scalar, offset: int) -> int:
        """The index in the source of a character of a text: quotes and line breaks are passed over."""
        raw = self.source.text[scalar.start : scalar.end]
        text = scalar.text or ""
        at = raw.find("\n") + 1 if scalar.style in ("|", ">") else int(scalar.style in ("'", '"'))
        for character in text[:offset]:
            if not character.isspace():
                found = raw.find(character, at)
                if found < 0:
                    return scalar.start
                at = found + 1
        while at < len(raw) and raw[at].isspace() and offset < len(text.rstrip()):
            at += 1
        return scalar.start + at

    def touched(self, path: Path) -> bool:
        """Whether a part at or below this path was left out."""
        return any(one[: len(path)] == path or path[: len(one)] == one for one in self.left_out)

    def misspelt(self, path: Path, key: str) -> bool:
        """Whether a key that was left out of this mapping is likely this one, misspelt."""
        slips = (str(one[-1]) for one in self.left_out if one and one[:-1] == path)
        return any(closest(slip, (key,)) is not None for slip in slips)

    def keys_at(self, *path: str) -> tuple[str, ...]:
        """The keys of a mapping as written, also of entries that were left out."""
        place, missing = self.place(path)
        return tuple(place.node.entries) if isinstance(place.node, Map) and not missing else ()


def _hidden(node: Node, path: Path) -> list[Path]:
    if isinstance(node, Scalar):
        return [path] if node.hidden else []
    if isinstance(node, Sequence):
        return [found for at, item in enumerate(node.items) for found in _hidden(item, (*path, at))]
    return [
        found
        for key, entry in node.entries.items()
        for found in ([(*path, key)] if entry.key.hidden else _hidden(entry.value, (*path, key)))
    ]
