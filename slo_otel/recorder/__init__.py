"""Cells, exact histograms, gauges and marks; `snapshot()`."""

from slo_otel.recorder._cell import Cell
from slo_otel.recorder._exemplars import Exemplar
from slo_otel.recorder._exponential import SCALE, Buckets
from slo_otel.recorder._exponential import index_of as bucket_of
from slo_otel.recorder._gate import Counter
from slo_otel.recorder._layout import HTTP_BOUNDS
from slo_otel.recorder._registry import Recorder
from slo_otel.recorder._snapshot import CellSnapshot, GaugePoint, Histogram, Limits, Mark, Sketch, Snapshot
from slo_otel.recorder._tally import Tally, tally

__all__ = [
    "HTTP_BOUNDS",
    "SCALE",
    "Buckets",
    "Cell",
    "CellSnapshot",
    "Counter",
    "Exemplar",
    "GaugePoint",
    "Histogram",
    "Limits",
    "Mark",
    "Recorder",
    "Sketch",
    "Snapshot",
    "Tally",
    "bucket_of",
    "tally",
]
