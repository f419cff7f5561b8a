"""What the Collector was told, what exiting workers said they could not tell, and what the clients saw."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.json_format import Parse
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

_UNSENT: Final = re.compile(
    r"slo_otel: (?:(\d+)|the) events? of instance (\S+) (?:was|were) (?:not sent|sent after all)"
)


@dataclass(frozen=True, slots=True)
class Told:
    """Of all processes of one service."""

    counts: Counter[str]
    """The last point of each (instance, series) of `slo.events`, by verdict, summed."""
    instances: int
    unsent: int
    """What exiting workers logged: the last line of each instance."""

    def total(self) -> int:
        """Events that are accounted for."""
        return self.counts.total() + self.unsent


def told(files: Iterable[Path], log: Path, service: str) -> Told:
    """Read what the Collector's lives wrote of one service, in order, and the log of its server."""
    newest: dict[tuple[str, str], int] = {}
    for file in files:
        for line in _lines(file):
            newest.update(_points(Parse(line, MetricsData()), service))
    counts: Counter[str] = Counter()
    for (_, verdict), value in newest.items():
        counts[verdict] += value
    said = _UNSENT.findall(log.read_text(encoding="utf-8", errors="replace"))
    unsent = {instance: int(events or 0) for events, instance in said}
    return Told(counts, len({instance for instance, _ in newest}), sum(unsent.values()))


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _points(data: MetricsData, service: str) -> Iterator[tuple[tuple[str, str], int]]:
    for resource in data.resource_metrics:
        of = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
        if of.get("load.server") != service:
            continue
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name == "slo.events":
                    for point in metric.sum.data_points:
                        labels = {pair.key: pair.value.string_value for pair in point.attributes}
                        yield (of["service.instance.id"], labels["slo.verdict"]), point.as_int
