"""An exporter that the user gave gets what it prefers."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    MetricExporter,
    MetricExportResult,
)
from opentelemetry.sdk.metrics.view import DropAggregation, ExponentialBucketHistogramAggregation

from slo_otel.export import Kinds, Source
from slo_otel.export._preference import preferred
from tests.export.loops import GivenExporter

CUMULATIVE = AggregationTemporality.CUMULATIVE
DELTA = AggregationTemporality.DELTA


@pytest.mark.parametrize(
    ("exporter", "found"),
    [
        (ConsoleMetricExporter(), Kinds()),
        (OTLPMetricExporter(preferred_temporality={Counter: DELTA}), Kinds(counters=DELTA)),
        (OTLPMetricExporter(preferred_temporality={Histogram: DELTA}), Kinds(histograms=DELTA)),
        (OTLPMetricExporter(preferred_temporality={ObservableCounter: DELTA}), Kinds(observed=DELTA)),
        (
            OTLPMetricExporter(preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()}),
            Kinds(exponential=True),
        ),
        (OTLPMetricExporter(preferred_aggregation={Histogram: DropAggregation()}), Kinds()),
    ],
    ids=["nothing", "counters", "histograms", "observed", "exponential", "dropped"],
)
def test_it_is_what_a_reader_of_the_sdk_would_hand_over(exporter: MetricExporter, found: Kinds) -> None:
    """Each kind of instrument by itself."""
    assert Source(exporter).kinds == found


def test_the_sdks_exporter_reads_the_environment_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """So `exporter=OTLPMetricExporter()` and no exporter say the same."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "lowmemory")
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"
    )
    assert preferred(OTLPMetricExporter()) == Kinds(DELTA, CUMULATIVE, DELTA, exponential=True) == Source().kinds


def test_asking_exports_nothing_and_shuts_nothing_down() -> None:
    """It is the user's exporter."""
    exporter = GivenExporter(lambda: MetricExportResult.SUCCESS)
    preferred(exporter)
    assert (exporter.calls, exporter.closed) == (0, 0)


class _Bare(GivenExporter):
    def __init__(self) -> None:
        """Does not call its base class."""


def test_an_exporter_that_prefers_nothing_gets_everything_cumulative() -> None:
    """Foreign code may be incomplete; that is no reason not to start."""
    assert preferred(_Bare()) == Kinds()
