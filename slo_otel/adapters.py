"""For those who write an adapter for an HTTP framework: the door that its requests go through (docs/adapters.md).

What happens once at a time, such as a job, needs `open_event`, `classify` and `close_event` of `slo_otel` only.
"""

from slo_otel.instrumentation import HttpDoor, Target, Visit, tags_of

__all__ = ["HttpDoor", "Target", "Visit", "tags_of"]
