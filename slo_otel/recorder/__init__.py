"""Cells, exact histograms, gauges and marks; `snapshot()`."""

from slo_otel.recorder._snapshot import CellSnapshot, GaugePoint, Histogram, Limits, Mark, Sketch, Snapshot
from slo_otel.recorder._tally import Tally, tally

__all__ = [
    "CellSnapshot",
    "GaugePoint",
    "Histogram",
    "Limits",
    "Mark",
    "Sketch",
    "Snapshot",
    "Tally",
    "tally",
]
