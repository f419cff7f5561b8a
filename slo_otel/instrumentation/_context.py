"""Which event is open here: frames on one context variable.

A **frame** stands for an open event before there is an `Event` object. It is a small list, because a list is the
cheapest thing that is mutable and has an identity:

    frame[TOKEN]   the token of the frame's own `set`, None when every context that copied it may reach it, or
                   ANSWERED when none may any more
    frame[HOLDER]  a marker that can make the event (a call site, a middleware's opener), or the `Event` once made
    frame[OUTER]   the frame around it; absent for a plain tracked call that has none
    frame[SCOPE]   whatever the opener needs to make the event: the ASGI scope
    frame[GONE]    True once the client is known to have gone

Invariants:
* A frame is closed when it is empty, or when its holder is None (then only `OUTER` is of use). Closing is a change
  of the frame, not of the variable, so it works in whatever context or thread it happens, and a copy of the
  context that lives on (a background task) sees that the event is over.
* A frame left behind in the variable is empty only if nothing was open around it. So "the variable holds an empty
  sequence" means that nothing is open here: one truth test on the fast path.
* Tracked calls keep their token: `reset` accepts it in the context that set it and nowhere else, which tells a
  child task or thread (whose context is a copy) from the call itself. A request's frame has no token, since the
  framework runs sync handlers in worker threads and handlers below `BaseHTTPMiddleware` in child tasks.
* A request whose answer is complete but held open for the exception that may follow is around nobody: a server
  starts the next request of a pipeline inside the `send` that ended this one, in a copy of its context.

How an adapter uses it (no allocation but the list):

    frame: Frame = [None, self._opener, None, scope, False]
    enter(frame)                              # `_current.set`
    ...
    frame[GONE] = True                        # a disconnect was read, a send failed
    ...
    holder = frame[HOLDER]                    # the opener still: nobody asked for the event, take the fast path
    leave(frame)                              # or close_event(event, ...), which leaves by itself
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextvars import ContextVar, Token
from threading import RLock
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, cast

if TYPE_CHECKING:
    from slo_otel.instrumentation._events import Event

Frame: TypeAlias = list[object]

TOKEN: Final = 0
HOLDER: Final = 1
OUTER: Final = 2
SCOPE: Final = 3
GONE: Final = 4

ANSWERED: Final = object()
"""In place of a request's token: what comes now is no part of it."""
NOTHING: Final[Frame] = []
"""The frame of a context in which nothing is open. Never changed."""

_current: ContextVar[Frame] = ContextVar("slo_otel.event", default=NOTHING)

enter = _current.set
"""Make a frame the innermost one of this context."""
here = _current.get
"""The frame this context holds; empty when nothing is open."""


_making = RLock()
"""Held for a test and a store: threads that ask for one request's event at once agree on it, without a GIL too.
Re-entrant for signal handlers; taken by whoever asks for an event, never by the record path."""


def _renew() -> None:
    global _making  # noqa: PLW0603 - the thread that held it does not exist in the child of a fork
    _making = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


class Opener(Protocol):
    """What stands in `frame[HOLDER]` until somebody asks for the event."""

    def open(self, frame: Frame) -> Event:
        """The event of this frame, with what is known of it now. The caller puts it into the frame."""

    def categories(self, frame: Frame) -> frozenset[str]:
        """The declared categories that the event is known to carry now (resolved by the plan)."""


def around(frame: Frame) -> Iterator[tuple[Frame, Opener]]:
    """This frame and those around it that are open and belong to this context, with holders, innermost first."""
    while frame:
        # One copy, since a frame that other threads reach may be emptied between two reads.
        parts = frame[:]
        if len(parts) > HOLDER and parts[HOLDER] is not None and _reachable(frame, parts[TOKEN]):
            yield frame, cast("Opener", parts[HOLDER])
        frame = _outer(parts)


def opened(frame: Frame, holder: Opener) -> Event:
    """The event of an open frame, made now if its holder is still a marker.

    When the frame was closed meanwhile (another thread's request ended), an event that nobody will record.
    """
    event = holder.open(frame)
    if event is not holder:
        try:
            with _making:
                if frame[HOLDER] is not holder:
                    return opened(frame, cast("Opener", frame[HOLDER]))
                frame[HOLDER] = event
        except (IndexError, AttributeError):
            event.closed = True
    return event


def abandon() -> None:
    """In the child of a fork: what is open here is the parent's to count, and around nothing of the child's."""
    for frame, holder in around(_current.get()):
        opened(frame, holder).closed = True
    _current.set(NOTHING)


def _outer(parts: Frame) -> Frame:
    return cast("Frame | None", parts[OUTER]) or NOTHING if len(parts) > OUTER else NOTHING


def innermost() -> tuple[Frame, Opener] | None:
    """The frame of the event that is open here, with its holder; None when there is none."""
    return next(around(_current.get()), None)


def leave(frame: Frame) -> None:
    """Close the frame; the one around it is the innermost one again, where the frame was."""
    outer = _outer(frame)
    if _current.get() is frame:
        _current.set(outer)
        frame.clear()
    elif outer:
        frame[:] = [None, None, outer]
    else:
        frame.clear()


def client_gone(frame: Frame) -> bool:
    """Whether the client of this event or of one around it is known to have gone."""
    return any(
        each[GONE : GONE + 1] == [True] or getattr(holder, "client_gone", False) is True
        for each, holder in around(frame)
    )


def _reachable(frame: Frame, token: object) -> bool:
    """Whether this context is the one that opened the frame, or the frame is open to every copy of it."""
    if token is None or token is ANSWERED:
        return token is None
    held = _current.get()
    try:
        _current.reset(cast("Token[Frame]", token))
    except (ValueError, RuntimeError):
        return False
    frame[TOKEN] = _current.set(frame)
    if held is not frame:
        _current.set(held)
    return True
