"""A door around a handler: for frameworks whose middleware is a function that calls the next one for an answer.

What runs between two requests has emptied the processor's caches, so each function and each object that is touched
costs several times what it does in a loop. Hence one function in place of `begin` and `answered`, which do the same
for everything that is not the plain answer of a known route; twice, since `await` cannot be shared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from slo_otel.errors import swallow
from slo_otel.instrumentation._context import GONE, HOLDER, enter, here
from slo_otel.instrumentation._http import FRAME

if TYPE_CHECKING:
    from slo_otel.instrumentation._http_door import HttpDoor, Visit
    from slo_otel.recorder import Cell


class Answer(Protocol):
    """What such a handler returns, as far as it is looked at."""

    @property
    def status_code(self) -> int:
        """The status."""

    @property
    def streaming(self) -> bool:
        """Whether its body is still to be made."""


R = TypeVar("R")
A = TypeVar("A", bound=Answer)
WHERE = "an adapter"


def around(  # noqa: C901 - a call costs more
    door: HttpDoor[R], handler: Callable[[R], A], stream: Callable[[Visit, R, A], None]
) -> Callable[[R], A]:
    """`HttpDoor.around`."""
    target, method, carrier_of = door._target, door._method, door._carrier

    def measured(request: R) -> A:  # noqa: C901 - a call costs more
        requests = door._requests
        if requests is None:
            return handler(request)
        outer, perf = here(), requests.perf
        began = perf()
        opened: Visit = [None, requests, outer, request, False, requests, began, None, False, False, False]
        visit: Visit | None = opened
        try:
            if carrier_of(request).setdefault(FRAME, opened) is opened and not outer:
                enter(opened)
            else:
                visit = _begin(door, request, opened)
        except Exception as fault:  # noqa: BLE001 - a request of the host
            swallow(fault, WHERE)
            visit = None
        if visit is None:
            return handler(request)
        try:
            answer = handler(request)
        except BaseException as fault:
            door.raised(visit, fault)
            raise
        if answer.streaming:
            stream(visit, request, answer)
            return answer
        cell: Cell | None = None
        try:
            if visit is opened and visit[HOLDER] is requests and not visit[GONE]:
                cell = requests.known[target(request)].cells[method(request)][answer.status_code]
        except Exception:  # noqa: BLE001, S110 - nothing bound to it yet; what the adapter raises, it raises again
            pass
        if cell is None:
            door.answered(visit, answer.status_code)
            return answer
        visit.clear()
        cell.append(perf() - began)
        if len(cell.pending) >= cell.limit:
            cell.drain()
        return answer

    return measured


def around_async(  # noqa: C901 - a call costs more
    door: HttpDoor[R],
    handler: Callable[[R], Awaitable[A]],
    stream: Callable[[Visit, R, A], None],
    cancelled: Callable[[Visit, BaseException], None],
) -> Callable[[R], Awaitable[A]]:
    """`HttpDoor.around_async`."""
    target, method, carrier_of = door._target, door._method, door._carrier

    async def measured(request: R) -> A:  # noqa: C901 - a call costs more
        requests = door._requests
        if requests is None:
            return await handler(request)
        outer, perf = here(), requests.perf
        began = perf()
        opened: Visit = [None, requests, outer, request, False, requests, began, None, False, False, False]
        visit: Visit | None = opened
        try:
            if carrier_of(request).setdefault(FRAME, opened) is opened and not outer:
                enter(opened)
            else:
                visit = _begin(door, request, opened)
        except Exception as fault:  # noqa: BLE001 - a request of the host
            swallow(fault, WHERE)
            visit = None
        if visit is None:
            return await handler(request)
        try:
            answer = await handler(request)
        except BaseException as fault:
            (door.raised if isinstance(fault, Exception) else cancelled)(visit, fault)
            raise
        if answer.streaming:
            stream(visit, request, answer)
            return answer
        cell: Cell | None = None
        try:
            if visit is opened and visit[HOLDER] is requests and not visit[GONE]:
                cell = requests.known[target(request)].cells[method(request)][answer.status_code]
        except Exception:  # noqa: BLE001, S110 - nothing bound to it yet; what the adapter raises, it raises again
            pass
        if cell is None:
            door.answered(visit, answer.status_code)
            return answer
        visit.clear()
        cell.append(perf() - began)
        if len(cell.pending) >= cell.limit:
            cell.drain()
        return answer

    return measured


def _begin(door: HttpDoor[R], request: R, opened: Visit) -> Visit | None:
    """Something is around the request, or it has a frame already: the door finds out, and must not find ours."""
    carrier: Any = door._carrier(request)
    if carrier[FRAME] is opened:
        del carrier[FRAME]
    return door.begin(request)
