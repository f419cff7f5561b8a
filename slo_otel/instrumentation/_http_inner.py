"""Two middlewares of ours around one request, of the same kind or of two: an ASGI one around a Django, say.

The outer one has the event; the inner one tells it where the request went. They meet in the carrier that both see,
or, where a bridge made a new one (a WSGI application inside an ASGI one), in the context that the bridge carries
over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slo_otel.errors import swallow
from slo_otel.instrumentation._context import NOTHING, Frame
from slo_otel.instrumentation._events import event_of
from slo_otel.instrumentation._http import FRAME, INNER, STARTED, Carrier
from slo_otel.instrumentation._http_notes import carrier_of, frame_in

if TYPE_CHECKING:
    from slo_otel.instrumentation._http import HttpRequests


def surrounding(requests: HttpRequests, scope: object, carrier: Carrier, around: Frame) -> Frame | None:
    """What is around a request that begins; None where a middleware of ours has this very request open.

    That one is told to ask `requests` where it went. `around` is the frame of this context; an answer in it that
    has begun is a stream that nobody closed, and around nothing. A carrier that outlived its request says nothing.
    """
    frame = frame_in(carrier)
    begun = around[STARTED : STARTED + 1] not in ([], [None])
    try:
        if frame is None and around and not begun and _is_same(around, carrier):
            frame = around
        if frame is None:
            return NOTHING if begun else around
        outer = carrier_of(frame)
        if outer is not None:
            outer[INNER] = (requests, scope)
            event_of(frame)  # a request with an event does not take the fast path of the outer one's route
        carrier[FRAME] = frame
    except Exception as fault:  # noqa: BLE001 - a request of the host
        swallow(fault, requests.where)
    return around if frame is None else None


def _is_same(around: Frame, carrier: Carrier) -> bool:
    """Whether the open request of a frame is this one: nothing calls itself by the same method, path and query.

    And nobody hands a request on once its answer has begun (`surrounding`).
    """
    outer = carrier_of(around)
    address = None if outer is None else _address(outer)
    return address is not None and address == _address(carrier)


def _address(carrier: Carrier) -> tuple[str, bytes, bytes] | None:
    """Method, path and query of an ASGI scope or of a WSGI environ (PEP 3333: bytes as Latin-1).

    Never raises for text that no server would hand over: clients of tests do.
    """
    if "REQUEST_METHOD" in carrier:
        path = carrier.get("SCRIPT_NAME", "") + carrier.get("PATH_INFO", "")
        query: str = carrier.get("QUERY_STRING", "")
        return carrier["REQUEST_METHOD"], _bytes(path, "latin-1"), _bytes(query, "latin-1")
    if "method" in carrier and "path" in carrier:
        return carrier["method"], _bytes(carrier["path"], "utf-8"), carrier.get("query_string", b"")
    return None


def _bytes(text: str, encoding: str) -> bytes:
    return text.encode(encoding, "backslashreplace")
