"""What did not arrive is told to the event, also where an export of several requests arrived in part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from functools import cache, partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk import metrics
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from slo_otel import names
from slo_otel.export import InlineLane, Outgoing, Own, _exports, requests
from slo_otel.export._wire import encode
from slo_otel.plan import CellKey
from tests.export.added import Added, Series, whole
from tests.export.deltas import DELTA, Traffic
from tests.export.loops import looping
from tests.export.samples import LIMITS, cell, request, snapshot

REGIONS = 8


class Choosing(MetricExporter):
    """Takes requests, but for those with these numbers."""

    def __init__(self, failing: Set[int], *, delta: bool) -> None:
        super().__init__({metrics.Counter: DELTA, metrics.Histogram: DELTA} if delta else None)
        self.added = Added()
        self._failing, self._asked = failing, 0

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 1e4, **kwargs: object
    ) -> MetricExportResult:
        """Count, and add up what is taken."""
        self._asked += 1
        if self._asked in self._failing:
            return MetricExportResult.FAILURE
        self.added.take(encode(metrics_data))
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is buffered."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Nothing is open."""


@cache
def _counting(key: CellKey) -> frozenset[Series]:
    """The points that count the events of a cell, found from an export of nothing else."""
    alone = whole(Outgoing(snapshot(cell(key, [0.1])), None, Own(LIMITS, 0, 0)))
    return frozenset(series for series in alone if series[0] == names.EVENTS)


def _traffic(traffic: Traffic, at: int) -> None:
    for region in range(REGIONS):
        if (region + at) % 3:
            status = 500 if region % 4 == at % 4 else 200
            traffic.record(request(status, attributes=(("region", f"r{region}"),)), 0.1)


class Model:
    """A cell's events were told when everything that counts them says what the process knows."""

    def __init__(self) -> None:
        self._told: Counter[CellKey] = Counter()

    def unsent(self, outgoing: Outgoing, backend: Counter[Series]) -> int:
        """After an export of this."""
        known = whole(outgoing)
        for each in outgoing.snapshot.cells:
            if all(backend[series] == known[series] for series in _counting(each.key)):
                self._told[each.key] = each.count
        return sum(each.count - self._told[each.key] for each in outgoing.snapshot.cells)


@pytest.mark.parametrize("delta", [False, True])
@settings(max_examples=60)  # each has five exports; the long profile would take minutes
@given(failing=st.sets(st.integers(1, 30)), limit=st.integers(4, 40))
def test_it_is_what_a_backend_lacks_whichever_requests_fail(delta: bool, failing: set[int], limit: int) -> None:
    """After each export, in both temporalities: as many as by comparing what the backend adds up."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_exports, "requests", partial(requests, limit=limit))
        exporter, traffic, model = Choosing(failing, delta=delta), Traffic(), Model()
        exports = looping(InlineLane(), exporter)
        for at in range(5):
            _traffic(traffic, at)
            outgoing = traffic.outgoing()
            arrived = exports.flush(outgoing, 5.0)
            assert exports.unsent() == model.unsent(outgoing, exporter.added.counts())
            assert not arrived or exports.unsent() == 0
