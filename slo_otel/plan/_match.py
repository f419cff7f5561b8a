"""Which events an SLI is about: the `match` of the grammar, compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from slo_otel.plan._events import CellKey, Kind

_REQUESTS = frozenset({Kind.HTTP, Kind.WEBSOCKET})


@dataclass(frozen=True, slots=True)
class HttpTerm:
    """`http`: every request; a websocket's handshake is one, for the indicators that ask for connections."""


@dataclass(frozen=True, slots=True)
class RouteTerm:
    """`POST /wallet/{id}`: requests by method and route template.

    `segments` are literal texts, `*` for one segment of any kind (also a template's `{x}`), or a final `**`
    for the rest, nothing included.
    """

    method: str | None
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameTerm:
    """A declared category, else an operation, an event or a mapped name."""

    name: str


Term: TypeAlias = HttpTerm | RouteTerm | NameTerm


@dataclass(frozen=True, slots=True)
class Match:
    """Any of `terms`, and none of `excepted`."""

    terms: tuple[Term, ...]
    excepted: tuple[Term, ...] = ()

    def matches(self, key: CellKey) -> bool:
        """Whether the event belongs."""
        return any(fits(term, key) for term in self.terms) and not any(fits(term, key) for term in self.excepted)

    def names_through(self, key: CellKey) -> frozenset[str]:
        """The names of the event through which this match holds; nested events count through them."""
        return frozenset(term.name for term in self.terms if isinstance(term, NameTerm) and fits(term, key))


def fits(term: Term, key: CellKey) -> bool:
    """Whether one term holds for the event."""
    match term:
        case HttpTerm():
            return key.kind in _REQUESTS
        case RouteTerm(method, segments):
            return (
                key.kind in _REQUESTS
                and (method is None or method == key.method)
                and key.route is not None
                and route_fits(segments, key.route)
            )
        case NameTerm(name):
            return name in key.names


def route_fits(segments: tuple[str, ...], route: str) -> bool:
    """Whether a route template such as `/orders/{id}` is covered by the policy's path.

    What stands for several paths (`unmatched`) is no path: only `/**`, which is every path, covers it. `*` is one
    segment and not the empty one after a trailing slash.
    """
    if not route.startswith("/"):
        return segments == ("**",)
    parts = split_path(route)
    for at, segment in enumerate(segments):
        if segment == "**":
            return True
        if at >= len(parts) or not (segment == parts[at] or (segment == "*" and parts[at])):
            return False
    return len(parts) == len(segments)


def split_path(path: str) -> tuple[str, ...]:
    """The segments of a path: `/` has none, a trailing slash adds an empty one."""
    return tuple(path[1:].split("/")) if len(path) > 1 else ()
