"""What code inside a framework learns of a request that a middleware of ours has open, noted on its event."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from slo_otel.errors import swallow
from slo_otel.instrumentation._context import HOLDER, SCOPE, Frame
from slo_otel.instrumentation._events import event_of
from slo_otel.instrumentation._http import FAULT, FRAME, LEFT, REQUESTS, Carrier
from slo_otel.plan import BAD_INPUT

if TYPE_CHECKING:
    from slo_otel.instrumentation._http import HttpRequests


def frame_in(carrier: Carrier) -> Frame | None:
    """The frame of the request that is open in this carrier; None without one."""
    frame: Frame | None = carrier.get(FRAME)
    return frame if frame and frame[HOLDER] is not None else None


def note_bad_input(carrier: Carrier) -> None:
    """The framework refuses the request by its own validation: unless code said why, the reason is `bad_input`."""
    frame = frame_in(carrier)
    if frame is None:
        return
    try:
        event = event_of(frame)
        event.reason = event.reason or BAD_INPUT
    except Exception as fault:  # noqa: BLE001 - the user's error handler runs next, whatever happens here
        swallow(fault, "the reason bad_input")


def note_fault(carrier: Carrier, fault: BaseException) -> None:
    """Nobody handled an exception, and the framework answers for it: what that answer stands for, from 500 on."""
    frame = frame_in(carrier)
    if frame is not None and (outer := carrier_of(frame)) is not None:
        outer[FAULT] = fault


def carrier_of(frame: Frame) -> Carrier | None:
    """The carrier of an open request; None for a connection, and for what another thread has closed meanwhile."""
    parts = frame[:]
    requests = cast("HttpRequests | None", parts[REQUESTS] if len(parts) > LEFT else None)
    return None if requests is None or parts[HOLDER] is None else requests.carrier(parts[SCOPE])
