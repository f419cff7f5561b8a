"""The only place that wires stages, owns the thread, picks `now`, and injects clock and sinks."""

from slo_otel.runtime._configure import check, configure
from slo_otel.runtime._handle import Handle
from slo_otel.runtime._mistakes import mistakes

__all__ = ["Handle", "check", "configure", "mistakes"]
