"""The door that an adapter for an HTTP framework opens for each request: `slo_otel.adapters` has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from slo_otel.errors import ConfigurationError, swallow
from slo_otel.instrumentation._active import Active, register
from slo_otel.instrumentation._classify import classify
from slo_otel.instrumentation._context import enter, here
from slo_otel.instrumentation._http import (
    ENDED,
    FIRST,
    FRAME,
    LEFT,
    REQUESTS,
    STARTED,
    Carrier,
    Extractor,
    HttpRequests,
    Request,
    bounded,
    checked,
    course,
    left,
    valid,
)
from slo_otel.instrumentation._http_around import A, around, around_async
from slo_otel.instrumentation._http_inner import surrounding
from slo_otel.instrumentation._http_notes import note_bad_input, note_fault
from slo_otel.instrumentation._http_targets import FAILED, BoundTarget, Target
from slo_otel.plan import OTHER_METHOD, UNMATCHED_ROUTE, Outcome

if TYPE_CHECKING:
    from slo_otel.instrumentation._bounds import Scalar

R = TypeVar("R")
"""Whatever a framework hands over for a request."""
Visit: TypeAlias = list[object]
"""One open request. It belongs to its door, which is given it back; nothing in it is for others."""
_WHERE = "an adapter"
_MOST = 10_000
"""Targets that are remembered. An adapter that makes one for each request loses its fast path, nothing else."""


class _Requests(HttpRequests):
    """The opener of one door's events under one runtime."""

    __slots__ = ("_bound", "_carrier", "_method", "_target", "_unmatched", "known")

    where = _WHERE

    def __init__(
        self,
        active: Active,
        target: Callable[[Any], Target | None],
        method: Callable[[Any], str],
        carrier: Callable[[Any], Carrier],
        extract: Extractor | None,
    ) -> None:
        super().__init__(active, extract)
        self._target = target
        self._method = method
        self._carrier = carrier
        self._unmatched = BoundTarget(UNMATCHED_ROUTE)
        self._bound: dict[Target | None, BoundTarget] = {None: self._unmatched}
        self.known = self._bound if self.plain else {}
        """The targets whose plain answers are recorded at once."""

    def carrier(self, scope: Any) -> Carrier:
        """What the adapter says."""
        return self._carrier(scope)

    def find(self, scope: Any) -> BoundTarget:
        """What the adapter says, in this runtime."""
        try:
            given = self._target(scope)
            return self._bound.get(given) or self._adopted(given)
        except Exception as fault:  # noqa: BLE001 - routes are other people's objects
            swallow(fault, _WHERE)
            return self._unmatched

    def _adopted(self, given: Target | None) -> BoundTarget:
        if given is None:
            return self._unmatched
        found = BoundTarget(given.template, given.endpoint)
        return self._bound.setdefault(given, found) if len(self._bound) < _MOST else found

    def method(self, scope: Any) -> str:
        """What the adapter says, bounded."""
        try:
            return bounded(self._method(scope))
        except Exception as fault:  # noqa: BLE001 - requests are other people's objects
            swallow(fault, _WHERE)
            return OTHER_METHOD

    def status(self, started: tuple[int, bool] | None) -> int:
        """The first of the two things an answer begins with."""
        return FAILED if started is None else valid(started[0])

    def is_event_stream(self, started: tuple[int, bool] | None) -> bool:
        """The second."""
        return started is not None and started[1]

    def classified(self, fault: BaseException) -> tuple[Outcome, str | None]:
        """What is no `Exception` is a server's way to end a worker: gunicorn's SystemExit, a cancelled task."""
        outcome, error_type = classify(None, fault)
        return outcome if isinstance(fault, Exception) else Outcome.CANCELLED, error_type


class HttpDoor(Generic[R]):
    """Where the requests of one framework come in and go out: times them, says what became of them, records them.

    `begin` opens a request; exactly one of `answered`, `ended`, `left` and `raised` closes it, and what comes after
    that changes nothing. No method raises, except under `SLO_OTEL_STRICT`. A visit may be closed in another thread
    or context than it was opened in.
    """

    __slots__ = ("__weakref__", "_attributes", "_carrier", "_method", "_requests", "_target")

    def __init__(
        self,
        *,
        target: Callable[[R], Target | None],
        method: Callable[[R], str],
        carrier: Callable[[R], Carrier],
        attributes: Callable[[R], Mapping[str, Scalar]] | None = None,
    ) -> None:
        """What is known of a request: all of them plain functions, called where the request is served.

        `target` says where it went, after routing: the same object for every request of a route, None for no route.
        `method` says its method as the client sent it. `carrier` gives the mapping that lives as long as the
        request and that middleware of other kinds sees too: its ASGI scope, its WSGI environ. `attributes` are
        those of `SLOMiddleware`.
        """
        for name, given in (("target", target), ("method", method), ("carrier", carrier)):
            if not callable(given):
                raise ConfigurationError(f"HttpDoor({name}=...) takes a function of the request; got {given!r}")
        self._target = target
        self._method = method
        self._carrier = carrier
        self._attributes = checked(attributes, "request")
        self._requests: _Requests | None = None
        register(self)

    def bind(self, active: Active | None) -> None:
        """Belong to another runtime, or to none (then every request passes by)."""
        self._requests = (
            None
            if active is None
            else _Requests(active, self._target, self._method, self._carrier, self._attributes)
        )

    def begin(self, request: R) -> Visit | None:
        """Open a request, as early as it can be seen.

        None when nothing is configured, and when a middleware of ours around this one has the request already; that
        one asks `target` at its close.
        """
        requests = self._requests
        if requests is None:
            return None
        try:
            carrier = self._carrier(request)
            around = here()
            if around or FRAME in carrier:
                outer = surrounding(requests, request, carrier, around)
                if outer is None:
                    return None
                around = outer
            perf = requests.perf
            visit: Visit = [None, requests, around, request, False, requests, perf(), None, False, False, False]
            carrier[FRAME] = visit
            enter(visit)
        except Exception as fault:  # noqa: BLE001 - a request of the host
            swallow(fault, _WHERE)
            return None
        return visit

    def around(self, handler: Callable[[R], A], stream: Callable[[Visit, R, A], None]) -> Callable[[R], A]:
        """`handler`, measured: what `begin`, `answered` and `raised` do around a call, for half a microsecond less.

        Its answers have a `status_code`. For one whose `streaming` is true `stream(visit, request, answer)` is
        called in place of `answered`, and sees to the close.
        """
        return around(self, handler, stream)

    def around_async(
        self,
        handler: Callable[[R], Awaitable[A]],
        stream: Callable[[Visit, R, A], None],
        cancelled: Callable[[Visit, BaseException], None],
    ) -> Callable[[R], Awaitable[A]]:
        """The same around a coroutine function; `cancelled` gets what is no `Exception`, in place of `raised`."""
        return around_async(self, handler, stream, cancelled)

    def answered(self, visit: Visit, status: int) -> None:
        """The answer is complete as it stands: it closes here."""
        try:
            frame: Request = visit
            _, holder, outer, request, _, requests, began, started, _, _, gone = frame
            cell = requests.known[self._target(request)].cells[self._method(request)][status]
        except Exception:  # noqa: BLE001 - nothing bound to it yet, or closed; what the adapter raises, it raises again
            _answered(visit, status)
            return
        if holder is not requests or outer or gone or started:
            _answered(visit, status)
            return
        if len(cell.pending) >= cell.limit:
            cell.drain()
        perf, append = requests.perf, cell.append
        visit.clear()
        append(perf() - began)

    def started(self, visit: Visit, status: int, *, event_stream: bool = False) -> None:
        """A stream begins; `event_stream` for `text/event-stream`, which is judged by its first byte."""
        frame: Request = visit
        if len(frame) > LEFT:
            frame[STARTED] = (status, event_stream)
            if frame[REQUESTS].announces:
                frame[REQUESTS].announce(course(frame))

    def first_byte(self, visit: Visit) -> None:
        """The first part of a stream that has several. Later ones change nothing."""
        frame: Request = visit
        if len(frame) > LEFT and not frame[FIRST]:
            frame[FIRST] = frame[REQUESTS].perf()

    def ended(self, visit: Visit) -> None:
        """The last part of a stream went out: it closes here."""
        frame: Request = visit
        if len(frame) > LEFT:
            if frame[STARTED] is not None:
                frame[ENDED] = frame[REQUESTS].perf()
            frame[REQUESTS].returned(course(frame))

    def left(self, visit: Visit) -> None:
        """The client is known to have gone before the answer was complete: it closes here, cancelled."""
        frame: Request = visit
        if len(frame) > LEFT:
            left(frame)
            frame[REQUESTS].answered(course(frame))

    def raised(self, visit: Visit, fault: BaseException) -> None:
        """An exception went out to the server: it closes here. After the answer, it is counted apart.

        A cancellation is the server's; where the client is known to have gone, say `left`.
        """
        frame: Request = visit
        if len(frame) > LEFT:
            frame[REQUESTS].raised(course(frame), fault)
        elif self._requests is not None:
            self._requests.after_body(fault)

    def unhandled(self, request: R, fault: BaseException) -> None:
        """Nobody handled an exception, and the framework answers for it: from 500 on the event is an exception.

        Closes nothing. An answer below 500 stands.
        """
        self._note(request, lambda carrier: note_fault(carrier, fault))

    def bad_input(self, request: R) -> None:
        """The framework's own validation refuses the request: its reason, unless code said one. Closes nothing."""
        self._note(request, note_bad_input)

    def _note(self, request: R, note: Callable[[Carrier], None]) -> None:
        try:
            note(self._carrier(request))
        except Exception as fault:  # noqa: BLE001 - the framework goes on, whatever happens here
            swallow(fault, _WHERE)


def _answered(visit: Request, status: int) -> None:
    if len(visit) > LEFT:
        requests = visit[REQUESTS]
        visit[STARTED] = visit[STARTED] or (status, False)
        visit[ENDED] = requests.perf()
        requests.answered(course(visit))
