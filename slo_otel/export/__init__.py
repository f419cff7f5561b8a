"""Snapshots and evaluations become OTLP metrics: translation, encoding, and a loop with deadlines that hold."""

from slo_otel.export._data import MAX_POINTS, Outgoing, Translation, requests, taken
from slo_otel.export._environment import interval_ns, wanted
from slo_otel.export._exports import Exports
from slo_otel.export._kinds import Kinds, kinds
from slo_otel.export._lane import InlineLane, Lane, ThreadLane
from slo_otel.export._own import ExportTimes, Own
from slo_otel.export._paced import paced, pause
from slo_otel.export._source import Source

__all__ = [
    "MAX_POINTS",
    "ExportTimes",
    "Exports",
    "InlineLane",
    "Kinds",
    "Lane",
    "Outgoing",
    "Own",
    "Source",
    "ThreadLane",
    "Translation",
    "interval_ns",
    "kinds",
    "paced",
    "pause",
    "requests",
    "taken",
    "wanted",
]
