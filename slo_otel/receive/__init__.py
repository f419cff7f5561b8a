"""A small OTLP receiver for demos and tests, over HTTP and gRPC: what a Collector would have got.

It keeps the last cumulative point of every series of every process, and adds delta points up, so `counter` is what
a backend would sum.
It is no backend: no TLS, one address, nothing is stored, nothing expires.
"""

from __future__ import annotations

from slo_otel.receive._arrivals import Answer
from slo_otel.receive._points import Distribution, Point
from slo_otel.receive._receiver import Receiver

__all__ = ["Answer", "Distribution", "Point", "Receiver"]
