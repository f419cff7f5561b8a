"""Domain outcomes that code records by itself: counts, gauges, and things that begin and finish."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from slo_otel.errors import blame, swallow
from slo_otel.instrumentation._active import Active, active
from slo_otel.instrumentation._bounds import Scalar, text_of
from slo_otel.instrumentation._context import here
from slo_otel.instrumentation._events import Event
from slo_otel.instrumentation._nesting import absorb
from slo_otel.plan import Kind, Outcome
from slo_otel.units import SECOND_NS

When: TypeAlias = datetime | float | None
"""An aware `datetime`, or seconds since the epoch; None is now."""


def count(
    name: str,
    n: int = 1,
    *,
    key: object = None,
    attrs: Mapping[str, Scalar] | None = None,
    **attributes: Scalar,
) -> None:
    """Count `n` domain events called `name`, each a success.

    `key` identifies who or what it was about, for counting distinct ones; it never becomes a series. Attributes
    are those the policy names; `attrs` carries names that are no identifiers. Never raises at run time.
    """
    _attempt("count", lambda running: _count(running, name, n, key, {**(attrs or {}), **attributes}))


def gauge(name: str, value: float, *, attrs: Mapping[str, Scalar] | None = None, **attributes: Scalar) -> None:
    """Say what a gauge reads now. `value` is in the unit the policy gives it: bytes, seconds, 1."""
    _attempt("gauge", lambda running: _gauge(running, name, value, {**(attrs or {}), **attributes}))


def begin(name: str, *, key: object, at: When = None, **attributes: Scalar) -> None:
    """Something that takes long has begun: an incident, a review. `key` finds it again at `finish`."""
    _attempt("begin", lambda running: _mark(running, "begin", name, key, at, None, attributes))


def finish(name: str, *, key: object, at: When = None, started_at: When = None, **attributes: Scalar) -> None:
    """It has finished. `started_at` carries the start where another host began it."""
    _attempt("finish", lambda running: _mark(running, "finish", name, key, at, started_at, attributes))


def _attempt(where: str, record: Callable[[Active], None]) -> None:
    running = active()
    if running is None:
        return
    try:
        record(running)
    except (TypeError, ValueError, OverflowError) as mistake:
        blame(mistake, f"slo_otel.{where}, called with what it cannot record,")
    except Exception as fault:  # noqa: BLE001 - a recording must not break the host
        swallow(fault, where)


def _count(running: Active, name: str, n: int, key: object, attributes: Mapping[str, Scalar]) -> None:
    if not isinstance(name, str):
        raise TypeError(f"count(name) takes a text, not {name!r}")
    if operator.index(n) < 0:
        raise ValueError(f"count({name!r}, n) takes a number of events, not {n!r}")
    running.declared.check((name,))
    event = Event(running, Kind.COUNT, (name,))
    event.set(**attributes)
    resolved = running.cells.resolve(event.key(Outcome.SUCCESS))
    if key is not None:
        running.recorder.mark(
            "count", _mapped(running, name), text_of(key), at_ns=running.wall_ns(), attributes=resolved.attributes
        )
    left = absorb(running, resolved, here())
    if left is not None and n:
        running.cells.add(left, n)


def _gauge(running: Active, name: str, value: float, attributes: Mapping[str, Scalar]) -> None:
    bounded = running.bounds.declared(name, attributes)
    running.recorder.gauge(_mapped(running, name), float(value), running.cells.placed(bounded))


def _mark(
    running: Active, kind: str, name: str, key: object, at: When, started: When, attributes: Mapping[str, Scalar]
) -> None:
    running.recorder.mark(
        kind,
        _mapped(running, name),
        text_of(key),
        at_ns=_ns(at, running.wall_ns()),
        started_ns=None if started is None else _ns(started, 0),
        attributes=running.cells.placed(running.bounds.declared(name, attributes)),
    )


def _mapped(running: Active, name: str) -> str:
    return running.plan.event_names.get(name, name)


def _ns(when: When, now_ns: int) -> int:
    if when is None:
        return now_ns
    if not isinstance(when, datetime):
        return round(when * SECOND_NS)
    if when.tzinfo is None:
        raise ValueError(f"{when!r} has no time zone; write datetime.now(timezone.utc) or seconds since the epoch")
    return round(when.timestamp() * 1_000_000) * 1000
