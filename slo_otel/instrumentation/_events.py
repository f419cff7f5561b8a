"""Events: what is known of one thing while it happens, and its close. The contract that adapters use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from slo_otel.errors import swallow
from slo_otel.instrumentation._active import Active, active
from slo_otel.instrumentation._context import (
    HOLDER,
    NOTHING,
    OUTER,
    Frame,
    Opener,
    client_gone,
    enter,
    here,
    innermost,
    leave,
    opened,
)
from slo_otel.instrumentation._nesting import settle
from slo_otel.plan import UNMATCHED_ROUTE, CellKey, Kind, Outcome, Overrule

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_OWN_FIELDS = frozenset({"status", "outcome", "method"})
"""Facts of the answer: what code says of them is ignored."""


class Event:
    """One open event. Code says what it knows with `set`, `good`, `bad` and `exclude`; adapters fill the fields.

    A change after the close is ignored and counted. Not for sharing between threads while both write.
    """

    __slots__ = (
        "_carried",
        "_route_said",
        "_shared",
        "active",
        "attributes",
        "by_server",
        "client_gone",
        "closed",
        "error_type",
        "event_stream",
        "frame",
        "kind",
        "learn",
        "method",
        "names",
        "nested",
        "operation",
        "overrule",
        "reason",
        "route",
        "span",
        "status",
    )

    def __init__(
        self,
        active: Active | None,
        kind: Kind,
        names: tuple[str, ...] = (),
        *,
        frame: Frame = NOTHING,
        method: str | None = None,
        operation: str | None = None,
    ) -> None:
        self.active = active
        self.kind = kind
        self.names = names
        self.frame = frame
        self.method = method
        self.operation = operation
        self.route: str | None = None
        self.status: int | None = None
        self.error_type: str | None = None
        self.event_stream = False
        self.by_server = False
        self.client_gone = False
        self.reason: str | None = None
        self.overrule: Overrule | None = None
        self.attributes: dict[str, str] = {}
        self.nested: dict[str, frozenset[str]] = {}
        """The indicators for which an inner event is bad just now, by the inner one's operation."""
        self._route_said: str | None = None
        """The route that code says; an HTTP event has it only where no router of ours knows one."""
        self._shared: frozenset[str] = frozenset()
        """The categories of events around it that may have closed before it: it is no second event of these."""
        self._carried: tuple[tuple[object, ...], frozenset[str]] | None = None
        self.span: Span | None = None
        """The span of its request, where one was noted; else the one that is current at the close."""
        self.closed = False
        self.learn: Callable[[Event], None] | None = None
        """Set by an adapter whose names become known later: fills route, method and names with what is known."""

    def set(self, **attributes: object) -> None:
        """Say what is known: `reason`, `operation`, `category` (one more name), and attributes.

        Attributes that the policy does not name are ignored; names are those of the policy or its `attributes:`
        aliases. None leaves a thing as it is. The judgement is the policy's.
        """
        if self._late() or self.active is None:
            return
        for name, value in attributes.items():
            if value is not None:
                self._set(self.active, self.active.bounds.canonical(name), value)

    def good(self) -> None:
        """Overrule an answer: good for every ratio SLO. Never an exception, a timeout or a cancellation."""
        self._overrule(Overrule.GOOD, None)

    def bad(self, reason: str | None = None) -> None:
        """Overrule whatever happened: bad for every ratio SLO."""
        self._overrule(Overrule.BAD, reason)

    def exclude(self, reason: str | None = None) -> None:
        """Overrule an answer: counted as excluded, apart from good and bad."""
        self._overrule(Overrule.EXCLUDED, reason)

    def key(self, outcome: Outcome) -> CellKey:
        """The identity of the series it belongs to, with the names as code gave them."""
        return CellKey(
            kind=self.kind,
            names=self._all_names(),
            operation=self.operation,
            method=self.method,
            route=self.route,
            status=self.status,
            outcome=outcome,
            overrule=self.overrule,
            reason=self.reason,
            error_type=self.error_type,
            event_stream=self.event_stream,
            by_server=self.by_server,
            nested_bad=self._nested_bad(),
            attributes=tuple(sorted(self.attributes.items())),
        )

    def open(self, frame: Frame) -> Event:
        """Itself: an event may stand in its frame like the marker it replaced."""
        return self

    def categories(self, frame: Frame = NOTHING) -> frozenset[str]:
        """The declared categories it is known to carry now."""
        if self.active is None:
            return frozenset()
        if self.learn is not None:
            self.learn(self)
        known = (self.names, self.operation, self.method, self.route)
        if self._carried is None or self._carried[0] != known:
            bare = CellKey(kind=self.kind, names=self._all_names(), method=self.method, route=self.route)
            self._carried = (
                known,
                self.active.declared.categories.intersection(self.active.cells.resolve(bare).names),
            )
        return self._carried[1]

    def _all_names(self) -> tuple[str, ...]:
        return tuple(sorted({*self.names, *([] if self.operation is None else [self.operation])}))

    def _nested_bad(self) -> tuple[str, ...]:
        if self.overrule is Overrule.GOOD or not self.nested:
            return ()
        return tuple(sorted({name for names in self.nested.values() for name in names}))

    def _late(self) -> bool:
        if self.closed and self.active is not None:
            self.active.recorder.late_changes += 1
        return self.closed

    def _overrule(self, overrule: Overrule, reason: str | None) -> None:
        if self._late() or self.active is None:
            return
        self.overrule = overrule
        if reason is not None:
            self._set(self.active, "reason", reason)

    def _set(self, active: Active, name: str, value: object) -> None:
        try:
            self._assign(active, name, value)
        except Exception as fault:  # noqa: BLE001 - a value whose text cannot be made must not break the host
            swallow(fault, "Event.set")

    def _assign(self, active: Active, name: str, value: object) -> None:
        bounds = active.bounds
        if name == "reason":
            self.reason = bounds.reason(value)
        elif name == "operation":
            self.operation = bounds.value(self._event_name(), name, value)
        elif name == "category":
            self.names = (*self.names, bounds.value(self._event_name(), name, value))
        elif name == "route" and self.kind is Kind.HTTP:
            self._route_said = bounds.value(self._event_name(), name, value)
        elif name == "route":
            self.route = bounds.value(self._event_name(), name, value)
        elif name not in _OWN_FIELDS and bounds.part_of_series(name):
            self.attributes[name] = bounds.value(self._event_name(), name, value)

    def _event_name(self) -> str:
        named = self.kind in (Kind.OPERATION, Kind.COUNT) and self.names
        return self.names[0] if named else self.kind.value


class _Detached(Event):
    """Stands for no event: everything said to it is ignored. One object for everybody, so it keeps nothing."""

    __slots__ = ()

    def set(self, **attributes: object) -> None:
        """Nothing."""

    def _overrule(self, overrule: Overrule, reason: str | None) -> None:
        """Nothing."""


DETACHED = _Detached(None, Kind.OPERATION)


def current_event() -> Event:
    """The event that is open here: the request's or the innermost tracked call's.

    Outside of any, and in a child task or thread of a tracked call, a detached one whose methods do nothing;
    that is counted.
    """
    running = active()
    if running is None:
        return DETACHED
    found = innermost()
    if found is None:
        running.recorder.detached_events += 1
        return DETACHED
    return opened(*found)


def take_route_said(event: Event) -> None:
    """For middleware that found no route of its own: the one that code said, if it did."""
    if event.route == UNMATCHED_ROUTE:
        event.route = event._route_said or event.route


def event_of(frame: Frame) -> Event:
    """The event of an open frame, made now if nobody asked before."""
    return opened(frame, cast("Opener", frame[HOLDER]))


def open_event(names: str | Iterable[str] = (), method: str | None = None) -> Event:
    """Open an event and make it the innermost one here; with a `method` it is an HTTP request.

    `names` are categories, operations or event names. Without an active runtime the event does nothing.
    Each one must be given to `close_event`, in whatever thread or context.
    """
    running = active()
    if running is None:
        return DETACHED
    given = (names,) if isinstance(names, str) else tuple(names)
    running.declared.check(given)
    kind = Kind.OPERATION if method is None else Kind.HTTP
    frame: Frame = [None, None, here()]
    event = Event(running, kind, given, frame=frame, method=method)
    frame[HOLDER] = event
    enter(frame)
    return event


def close_event(event: Event, outcome: Outcome, duration: float, first_byte: float | None = None) -> None:
    """Record an event, once: its outcome, how long it took and when its first byte left (seconds).

    A cancelled event is the server's doing unless the event or one around it knows that its client has gone.
    Never raises, except under SLO_OTEL_STRICT.
    """
    if event is DETACHED or event.active is None or event._late():
        return
    event.closed = True
    try:
        _close(event, event.active, outcome, duration, first_byte)
    except Exception as fault:  # noqa: BLE001 - our fault must not become the host's
        swallow(fault, "close_event")


def _close(event: Event, running: Active, outcome: Outcome, duration: float, first_byte: float | None) -> None:
    frame = event.frame
    outer = cast("Frame", frame[OUTER]) if len(frame) > OUTER else NOTHING
    _complete(event, running, outcome)
    leave(frame)
    settle(running, event.key(outcome), outer, duration, first_byte, event._shared, event.span)


def _complete(event: Event, running: Active, outcome: Outcome) -> None:
    """What is known only now, and the bounds of what the adapter wrote into the fields itself."""
    if event.learn is not None:
        event.learn(event)
        event.learn = None
    if event.error_type is not None:
        event.error_type = running.bounds.error_type(event.error_type)
    if event.reason is not None:
        event.reason = running.bounds.reason(event.reason)
    if outcome is not Outcome.CANCELLED:
        event.by_server = False
    elif not event.by_server:
        event.by_server = not (event.client_gone or client_gone(event.frame))
