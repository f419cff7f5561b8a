"""Which temporality and which kind of histogram is sent: by the environment, or as a given exporter prefers.

Temporality is chosen by kind of instrument (specification, metrics/sdk_exporters/otlp). `slo.events` is a counter
and the durations are histograms; the SDK's own counters are read off at an export, as observable counters are.
UpDownCounters are always cumulative, and gauges have no temporality.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.metrics.export import AggregationTemporality

from slo_otel.errors import ConfigurationError

CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
DELTA: Final = AggregationTemporality.DELTA


@dataclass(frozen=True, slots=True)
class Kinds:
    """How the metrics of a process are told."""

    counters: AggregationTemporality = CUMULATIVE
    observed: AggregationTemporality = CUMULATIVE
    """Counters that are read off at an export."""
    histograms: AggregationTemporality = CUMULATIVE
    exponential: bool = False
    """Whether durations are exponential histograms."""


_TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_TEMPORALITIES: Final[Mapping[str, tuple[AggregationTemporality, AggregationTemporality]]] = {
    "cumulative": (CUMULATIVE, CUMULATIVE),
    "delta": (DELTA, DELTA),
    "lowmemory": (DELTA, CUMULATIVE),
}
"""Of counters and histograms, and of counters that are read off."""
_AGGREGATION: Final = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
_AGGREGATIONS: Final = {"explicit_bucket_histogram": False, "base2_exponential_bucket_histogram": True}


def kinds() -> Kinds:
    """What the environment says. Raises `ConfigurationError` for a word that the specification does not have."""
    written = _word(_TEMPORALITY) or "cumulative"
    if written not in _TEMPORALITIES:
        raise ConfigurationError(f"{_TEMPORALITY} is {written!r}; write {', '.join(_TEMPORALITIES)}")
    histogram = _word(_AGGREGATION) or "explicit_bucket_histogram"
    if histogram not in _AGGREGATIONS:
        raise ConfigurationError(f"{_AGGREGATION} is {histogram!r}; write {' or '.join(_AGGREGATIONS)}")
    recorded, observed = _TEMPORALITIES[written]
    return Kinds(recorded, observed, recorded, _AGGREGATIONS[histogram])


def _word(variable: str) -> str:
    return os.environ.get(variable, "").strip().lower()
