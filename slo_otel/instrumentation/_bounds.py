"""Cardinality: what code sets is bounded by first arrival, whatever a client sends (DESIGN.md 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from slo_otel.errors import blame
from slo_otel.plan import BAD_INPUT, OVERFLOW, SYNTHETIC, UNSET, Plan

if TYPE_CHECKING:
    from slo_otel.recorder import Recorder

Scalar: TypeAlias = str | bool | int | float

_LONGEST = 200
"""Characters of a value; a longer one is cut, since it is a label and not a text."""
_MOST_ERROR_TYPES = 100
_MOST_POOLS = 10_000
_ALWAYS = frozenset({"region", "environment"})
"""Attributes that travel whether or not the policy names them (POLICY.md 4)."""


def text_of(value: object) -> str:
    """A value as the policy compares it: `true` and `false`, everything else as written; cut at 200 characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:_LONGEST]


def _text(value: object) -> str:
    """The same, of a value that may refuse: its event is counted without it."""
    try:
        return text_of(value)
    except Exception as fault:  # noqa: BLE001 - the user's own __str__
        blame(fault, f"the text of a {type(value).__name__}, given as an attribute,")
        return UNSET


class Pool:
    """The first `limit` distinct texts pass, later ones become `overflow`. `known` ones pass and take no place.

    Without a lock: a place is taken by `next` on a counter, which no two threads get alike, so that never more
    than `limit` texts pass. Two threads that bring the same new text at once may waste a place.
    """

    __slots__ = ("_limit", "_passed", "_places")

    def __init__(self, limit: int, known: Iterable[str] = ()) -> None:
        self._limit = limit
        self._passed = set(known)
        self._places = count()

    def admit(self, text: str) -> str:
        """The text itself, or `overflow`."""
        if text in self._passed:
            return text
        if next(self._places) >= self._limit:
            return OVERFLOW
        self._passed.add(text)
        return text


class Bounds:
    """The pools of one runtime: attribute values per event name, reasons, error types."""

    def __init__(self, plan: Plan, recorder: Recorder, max_values: int, max_reasons: int) -> None:
        self._recorder = recorder
        self._aliases = plan.attribute_names
        self._series = plan.attributes | _ALWAYS
        self._max_values = max_values
        self._values: dict[tuple[str, str], Pool] = {}
        self._reasons = Pool(max_reasons, plan.reasons | {BAD_INPUT, SYNTHETIC})
        self._full = Pool(0)
        self._error_types = Pool(_MOST_ERROR_TYPES)

    def canonical(self, name: str) -> str:
        """What the policy calls the attribute that code calls `name`."""
        return self._aliases.get(name, name)

    def part_of_series(self, name: str) -> bool:
        """Whether the policy names the attribute; no other becomes part of a series."""
        return name in self._series

    def value(self, event_name: str, attribute: str, value: object) -> str:
        """The bounded text of an attribute's value."""
        pool = self._values.get((event_name, attribute))
        if pool is None:
            # Event names come from code; should code build them from data, the later ones have no values at all.
            limit = self._max_values if len(self._values) < _MOST_POOLS else 0
            pool = self._values.setdefault((event_name, attribute), Pool(limit)) if limit else self._full
        return self._counted(pool, _text(value))

    def reason(self, reason: object) -> str:
        """The bounded text of a reason."""
        return self._counted(self._reasons, _text(reason))

    def error_type(self, name: str) -> str:
        """The bounded name of an exception's class."""
        return self._counted(self._error_types, name[:_LONGEST])

    def declared(self, event_name: str, attributes: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
        """What of `attributes` belongs to a series: our names, bounded values, sorted."""
        named = ((self.canonical(name), value) for name, value in attributes.items() if value is not None)
        return tuple(
            sorted(
                (name, self.value(event_name, name, value)) for name, value in named if self.part_of_series(name)
            )
        )

    def _counted(self, pool: Pool, text: str) -> str:
        admitted = pool.admit(text)
        if admitted is not text and admitted != text:
            self._recorder.overflowed_values += 1
        return admitted
