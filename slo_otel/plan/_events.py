"""What is known of one closed event: the identity of a series, before any SLO looks at it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

UNSET = "unset"
"""The value of an attribute that an event does not carry."""
OVERFLOW = "overflow"
"""The value that stands for all values past an attribute's limit: a group like any other."""
UNMATCHED_ROUTE = "unmatched"
"""The route of every request that matches no route of the application."""
OTHER_METHOD = "_OTHER"
"""The method of every request outside RFC 9110 and RFC 5789 (OpenTelemetry's word)."""
BAD_INPUT = "bad_input"
"""The reason a framework's own validation error carries."""
SYNTHETIC = "synthetic"
"""The reason of test traffic that the policy excludes."""


class Kind(StrEnum):
    """Each event is judged by its own kind."""

    HTTP = "http"
    OPERATION = "operation"
    COUNT = "count"
    WEBSOCKET = "websocket"


class Outcome(StrEnum):
    """What happened. What it means to one SLO is a `Verdict`."""

    SUCCESS = "success"
    REJECTED = "rejected"
    ERROR = "error"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class Overrule(StrEnum):
    """What code said of its own event with `good()`, `bad()` or `exclude()`."""

    GOOD = "good"
    BAD = "bad"
    EXCLUDED = "excluded"


class CellKey(NamedTuple):
    """The identity of one series. Everything in it is bounded before it gets here (DESIGN.md 3).

    `names` holds every category, operation, event or mapped name of the event, sorted.
    `by_server` is True where a cancellation is the server's (timeout, shutdown), which is bad, and False where
    the client is known to have gone. `nested_bad` lists the indicators for which an inner event's bad outcome
    counts. `attributes` are the declared ones that were set, sorted by name; `region` and `environment` are
    already filled in from the resource.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    operation: str | None = None
    method: str | None = None
    route: str | None = None
    status: int | None = None
    outcome: Outcome = Outcome.SUCCESS
    overrule: Overrule | None = None
    reason: str | None = None
    error_type: str | None = None
    event_stream: bool = False
    by_server: bool = False
    nested_bad: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    overflow: bool = False
    """Stands for every series past the registry's limit: one per (names, verdicts)."""
    absorbed: tuple[str, ...] = ()
    """The indicators that count the event around this one instead, through a name that both carry."""


def values_of(key: CellKey, name: str) -> tuple[str, ...]:
    """Every value that `name` has on the event; `(UNSET,)` when it has none. Only `category` has several.

    A series that stands for overflowed ones has kept its names; of everything else the value is `overflow`.
    """
    if name == "category":
        return key.names or (UNSET,)
    if key.overflow:
        return (OVERFLOW,)
    if name in _FIELDS:
        found = getattr(key, name)
        return (UNSET,) if found is None else (str(found),)
    return (dict(key.attributes).get(name, UNSET),)


def value_of(key: CellKey, name: str) -> str:
    """The one value of `name` as a group or series attribute."""
    return "|".join(values_of(key, name))


_FIELDS = frozenset({"operation", "method", "route", "status", "outcome", "reason", "error_type"})
