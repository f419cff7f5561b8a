"""What the Collector holds, read from its Prometheus page and from its file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import Parse
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData, NumberDataPoint

Counts = Counter[tuple[str, str]]
"""Events by (SLO, verdict)."""

_LINE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: \d+)?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Series:
    """One line of the Prometheus page."""

    name: str
    labels: dict[str, str]
    value: float


def series_of(page: str) -> Iterator[Series]:
    """Every series of a page in the Prometheus text format."""
    for line in page.splitlines():
        if (found := _LINE.match(line)) is not None:
            yield Series(found["name"], dict(_LABEL.findall(found["labels"] or "")), float(found["value"]))


def counts_of_page(page: Iterable[Series]) -> Counts:
    """`slo_events_total`, summed over the processes."""
    counts: Counts = Counter()
    for series in page:
        if series.name == "slo_events_total":
            counts[series.labels["slo_name"], series.labels["slo_verdict"]] += round(series.value)
    return +counts


def counts_of_file(file: Path) -> Counts:
    """The newest point of `slo.events` of each series of each process, summed."""
    newest: dict[tuple[str, str, str], int] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        for instance, point in _points(Parse(line, MetricsData())):
            labels = {pair.key: pair.value.string_value for pair in point.attributes}
            newest[instance, labels["slo.name"], labels["slo.verdict"]] = point.as_int
    counts: Counts = Counter()
    for (_, slo, verdict), value in newest.items():
        counts[slo, verdict] += value
    return +counts


def _points(data: MetricsData) -> Iterator[tuple[str, NumberDataPoint]]:
    for resource in data.resource_metrics:
        of = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name == "slo.events":
                    yield from ((of["service.instance.id"], point) for point in metric.sum.data_points)
