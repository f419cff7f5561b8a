"""Thin shells that time, classify and record: requests, calls, domain outcomes.

Adapters (ours and the integrations') use three functions: `open_event`, `classify`, `close_event`. Those for HTTP
frameworks have a door for it all: `HttpDoor`.
"""

from slo_otel.instrumentation._active import Active, activate, active
from slo_otel.instrumentation._api import begin, count, finish, gauge
from slo_otel.instrumentation._asgi import SLOMiddleware
from slo_otel.instrumentation._asgi_types import ASGIApp, Message, Receive, Scope, Send
from slo_otel.instrumentation._budget import Budget, budget
from slo_otel.instrumentation._classify import classify
from slo_otel.instrumentation._context import abandon
from slo_otel.instrumentation._events import Event, close_event, current_event, open_event
from slo_otel.instrumentation._http_door import HttpDoor, Visit
from slo_otel.instrumentation._http_targets import Target
from slo_otel.instrumentation._install import instrument
from slo_otel.instrumentation._names import known_names
from slo_otel.instrumentation._spans import ExemplarFilter, SpanAttributes, traced
from slo_otel.instrumentation._tag import tag, tags_of
from slo_otel.instrumentation._track import Track, track
from slo_otel.instrumentation._wsgi import SLOMiddleware as WSGIMiddleware

__all__ = [
    "ASGIApp",
    "Active",
    "Budget",
    "Event",
    "ExemplarFilter",
    "HttpDoor",
    "Message",
    "Receive",
    "SLOMiddleware",
    "Scope",
    "Send",
    "SpanAttributes",
    "Target",
    "Track",
    "Visit",
    "WSGIMiddleware",
    "abandon",
    "activate",
    "active",
    "begin",
    "budget",
    "classify",
    "close_event",
    "count",
    "current_event",
    "finish",
    "gauge",
    "instrument",
    "known_names",
    "open_event",
    "tag",
    "tags_of",
    "traced",
    "track",
]
