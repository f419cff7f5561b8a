"""A tracked call site: what its calls are, and how one ends. Everything but the plain success goes through here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Never, Protocol, cast

from slo_otel.errors import blame, logger, swallow
from slo_otel.instrumentation._active import Active, register
from slo_otel.instrumentation._classify import classify, root_of
from slo_otel.instrumentation._context import HOLDER, NOTHING, OUTER, Frame, around, client_gone, here, leave
from slo_otel.instrumentation._events import Event, close_event, event_of
from slo_otel.instrumentation._nesting import absorb, settle
from slo_otel.plan import CellKey, Kind, Outcome, Overrule

if TYPE_CHECKING:
    from slo_otel.recorder import Cell

Exceptions = tuple[type[BaseException], ...]
Judge = Callable[[Never], Outcome | None]
"""Takes what the call returned, of whatever type it is; None leaves the outcome a success."""

CLOSED: Final = "GeneratorExit"
"""The error type of what its consumer closed before it was done: a generator, a coroutine nobody awaits."""
_NONE: Final[frozenset[str]] = frozenset()
NOT_BOUND: Final = object()
"""What a wrapper compares its frame's holder with until it has a cell: never equal."""


class Rebind(Protocol):
    """Sets the variables of one generated wrapper."""

    def __call__(
        self, *, idle: bool, plain: object, perf: Callable[[], float] | None = None, cell: Cell | None = None
    ) -> None: ...


class Inner:
    """Stands for a call of a site inside another open event: the same marker, but not the plain one."""

    __slots__ = ("_site",)

    def __init__(self, site: Site) -> None:
        self._site = site

    def open(self, frame: Frame) -> Event:
        """The event of this call."""
        return self._site.open(frame)

    def categories(self, frame: Frame) -> frozenset[str]:
        """The declared categories of its names."""
        return self._site.categories(frame)


class Site:
    """One `track(...)` on one function. The static marker of its calls until somebody asks for the event."""

    __slots__ = (
        "__weakref__",
        "_attrs",
        "_bad",
        "_categories",
        "_cell",
        "_excluded",
        "_judge",
        "_key",
        "_name",
        "_operation",
        "_rebind",
        "_resolved",
        "_running",
        "_where",
        "inner",
    )

    def __init__(
        self,
        name: str,
        operation: str | None,
        bad: Exceptions,
        excluded: Exceptions,
        attrs: Mapping[str, object],
        judge: Judge | None,
    ) -> None:
        self._name = name
        self._operation = operation or name
        self._bad = frozenset(bad)
        self._excluded = frozenset(excluded)
        self._attrs = dict(attrs)
        self._judge = judge
        self._where = ""
        self._rebind: Rebind | None = None
        self._running: Active | None = None
        self._cell: Cell | None = None
        self._key = self._resolved = CellKey(Kind.OPERATION)
        self._categories: frozenset[str] | None = None
        self.inner = Inner(self)

    def attach(self, where: str, rebind: Rebind) -> None:
        """Serve one wrapper, now and whenever the runtime changes. `where` names the function in logs."""
        self._where = where
        self._rebind = rebind
        register(self)

    def bind(self, active: Active | None) -> None:
        """Take what belongs to the new runtime; cells are found at the first call."""
        self._running = active
        self._cell = None
        self._categories = None
        if self._rebind is not None:
            # Without a runtime the old cell stays in the wrapper's variables: a call that is under way may use it.
            self._rebind(idle=active is None, plain=NOT_BOUND, perf=active.perf if active is not None else None)

    def frame(self) -> Frame:
        """The frame of a call inside another open event."""
        return [None, self.inner, here()]

    def open(self, frame: Frame) -> Event:
        """The event of one call."""
        running = self._running
        event = Event(running, Kind.OPERATION, (self._name,), frame=frame, operation=self._operation)
        event.set(**self._attrs)
        return event

    def categories(self, frame: Frame = NOTHING) -> frozenset[str]:
        """The declared categories of its names."""
        running = self._running
        return self._prepared(running) if running is not None else frozenset()

    def done(self, frame: Frame, elapsed: float, result: object) -> None:
        """A call returned: anything but the plain case."""
        running = self._running
        if running is None:
            leave(frame)
            return
        try:
            self._returned(running, frame, elapsed, result)
        except Exception as fault:  # noqa: BLE001 - our fault must not become the caller's
            swallow(fault, "track")

    def failed(self, frame: Frame, elapsed: float, fault: BaseException) -> None:
        """A call raised."""
        running = self._running
        if running is None:
            leave(frame)
            return
        try:
            self._raised(running, frame, elapsed, fault)
        except Exception as ours:  # noqa: BLE001 - our fault must not hide the caller's
            swallow(ours, "track")

    def shared(self, outer: Frame) -> frozenset[str]:
        """The declared categories of its calls that an event around them carries."""
        running = self._running
        mine = self._prepared(running) if running is not None and outer else _NONE
        carried = (holder.categories(frame) for frame, holder in around(outer)) if mine else ()
        return mine.intersection(_NONE.union(*carried))

    def cut(self, frame: Frame, elapsed: float, shared: frozenset[str], *, elsewhere: bool) -> None:
        """A generator was closed before it was exhausted: its consumer has gone, and maybe what was around it.

        `elsewhere` a collector closed it, within something that has nothing to do with it.
        """
        running = self._running
        if running is not None and frame:
            event = event_of(frame)
            if elsewhere and running.cells.spans is not None:
                event.span = running.cells.spans.nowhere
            event._shared = shared
            event.client_gone = True
            event.error_type = CLOSED
            close_event(event, Outcome.CANCELLED, elapsed)

    def ruling(self, fault: BaseException) -> tuple[Outcome, Overrule | None, str | None]:
        """What an exception means here: `bad=` and `excluded=` by the nearest class, else by its kind."""
        outcome, error_type = classify(None, fault)
        for kind in (*type(fault).__mro__, *type(root_of(fault)).__mro__):
            if kind in self._excluded:
                return Outcome.ERROR, Overrule.EXCLUDED, error_type
            if kind in self._bad:
                return Outcome.ERROR, Overrule.BAD, error_type
        return outcome, None, error_type

    def _prepared(self, running: Active) -> frozenset[str]:
        """The identity of a plain success under this runtime, worked out at its first use."""
        if self._categories is None:
            running.declared.check((self._name,))
            names = tuple(sorted({self._name, self._operation}))
            attributes = running.bounds.declared(self._name, self._attrs)
            self._key = CellKey(Kind.OPERATION, names, self._operation, attributes=attributes)
            self._resolved = running.cells.resolve(self._key)
            self._categories = running.declared.categories.intersection(self._resolved.names)
        return self._categories

    def _returned(self, running: Active, frame: Frame, elapsed: float, result: object) -> None:
        outcome = self._judged(result)
        holder = frame[HOLDER]
        if isinstance(holder, Event):
            close_event(holder, outcome, elapsed)
            return
        self._prepared(running)
        outer = _outer(frame)
        leave(frame)
        if outcome is not Outcome.SUCCESS:
            settle(running, self._key._replace(outcome=outcome), outer, elapsed)
            return
        left = absorb(running, self._resolved, outer)
        if left is self._resolved and running.cells.tap is None:
            cell = self._bound(running, result)
            if running.cells.spans is None:
                cell.record(elapsed)
            else:
                running.cells.put(cell, self._resolved, elapsed)
        elif left is not None:
            running.cells.record(left, elapsed)

    def _bound(self, running: Active, result: object) -> Cell:
        """The cell of a plain success; the wrapper records into it by itself from now on."""
        if self._cell is None:
            self._cell = running.cells.cell(self._resolved)
            self._warn_of(result)
            if self._rebind is not None and self._judge is None and running.cells.inline(self._cell):
                self._rebind(idle=False, plain=self, perf=running.perf, cell=self._cell)
        return self._cell

    def _warn_of(self, result: object) -> None:
        if hasattr(type(result), "__await__") or hasattr(type(result), "__anext__"):
            logger.warning(
                "slo_otel: %s is tracked but returns %s, so that only its making is timed; "
                "put `track` on the async function itself",
                self._where,
                type(result).__name__,
            )

    def _raised(self, running: Active, frame: Frame, elapsed: float, fault: BaseException) -> None:
        outcome, overrule, error_type = self.ruling(fault)
        holder = frame[HOLDER] if frame else None
        if isinstance(holder, Event):
            fail(holder, outcome, overrule, error_type, elapsed)
            return
        self._prepared(running)
        outer = _outer(frame)
        by_server = outcome is Outcome.CANCELLED and error_type != CLOSED and not client_gone(frame)
        leave(frame)
        bounded = None if error_type is None else running.bounds.error_type(error_type)
        key = self._key._replace(outcome=outcome, overrule=overrule, error_type=bounded, by_server=by_server)
        settle(running, key, outer, elapsed)

    def _judged(self, result: object) -> Outcome:
        if self._judge is None:
            return Outcome.SUCCESS
        try:
            said = self._judge(cast("Never", result))
            return Outcome.SUCCESS if said is None else Outcome(said)
        except Exception as fault:  # noqa: BLE001 - the user's judge must not harm the call it judges
            blame(fault, f"the judge of {self._where}")
            return Outcome.SUCCESS


def fail(event: Event, outcome: Outcome, overrule: Overrule | None, error_type: str | None, elapsed: float) -> None:
    """Close an event with an exception. `bad()` said by code stands against `excluded=`."""
    event.error_type = error_type
    event.client_gone = event.client_gone or error_type == CLOSED
    if overrule is not None and event.overrule is not Overrule.BAD:
        event.overrule = overrule
    close_event(event, outcome, elapsed)


def _outer(frame: Frame) -> Frame:
    return cast("Frame | None", frame[OUTER]) or NOTHING if len(frame) > OUTER else NOTHING
