"""Snapshots and evaluations become OTLP metrics: translation, encoding, and a loop with deadlines that hold."""

from slo_otel.export._checks import wanted
from slo_otel.export._data import MAX_POINTS, Outgoing, Translation, requests, taken
from slo_otel.export._disabled import sdk_disabled
from slo_otel.export._environment import interval_ns
from slo_otel.export._exports import Exports
from slo_otel.export._kinds import Kinds, kinds
from slo_otel.export._lane import InlineLane, Lane, ThreadLane
from slo_otel.export._outlet import Outlet
from slo_otel.export._own import ExportTimes, Own
from slo_otel.export._paced import paced, pause
from slo_otel.export._ride_along import RideAlongExporter, riders
from slo_otel.export._ride_otlp import RideAlongOtlp
from slo_otel.export._rides import Rides
from slo_otel.export._source import Source

__all__ = [
    "MAX_POINTS",
    "ExportTimes",
    "Exports",
    "InlineLane",
    "Kinds",
    "Lane",
    "Outgoing",
    "Outlet",
    "Own",
    "RideAlongExporter",
    "RideAlongOtlp",
    "Rides",
    "Source",
    "ThreadLane",
    "Translation",
    "interval_ns",
    "kinds",
    "paced",
    "pause",
    "requests",
    "riders",
    "sdk_disabled",
    "taken",
    "wanted",
]
