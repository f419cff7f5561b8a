"""Thin shells that time, classify and record: requests, calls, domain outcomes.

Adapters (ours and the integrations') use three functions: `open_event`, `classify`, `close_event`.
"""

from slo_otel.instrumentation._active import Active, activate, active
from slo_otel.instrumentation._classify import classify
from slo_otel.instrumentation._events import Event, close_event, current_event, open_event

__all__ = [
    "Active",
    "Event",
    "activate",
    "active",
    "classify",
    "close_event",
    "current_event",
    "open_event",
]
