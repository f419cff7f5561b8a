"""A sink in memory: what would have been exported."""

from __future__ import annotations

from collections.abc import Iterator

from opentelemetry.sdk.metrics.export import (
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
)

from slo_otel.names import prometheus_label

Number = int | float


class InMemoryExporter(MetricExporter):
    """Keeps every export. Give it to `configure(exporter=...)`."""

    def __init__(self) -> None:
        super().__init__()
        self.exports: list[MetricsData] = []
        """Every request, oldest first."""
        self.fails = False
        """Set it, and exports are refused and not kept."""

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> MetricExportResult:
        """Keep the request, unless told to fail."""
        if self.fails:
            return MetricExportResult.FAILURE
        self.exports.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is buffered."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """What was kept stays readable."""

    def values(self, name: str) -> dict[frozenset[tuple[str, str]], Number]:
        """The newest value of each series of a metric, by its attributes; of a histogram the count."""
        found: dict[frozenset[tuple[str, str]], Number] = {}
        for metric in self._metrics(name):
            for point in metric.data.data_points:
                told = frozenset((key, str(value)) for key, value in (point.attributes or {}).items())
                if isinstance(point, NumberDataPoint):
                    found[told] = point.value
                else:
                    found[told] = point.count
        return found

    def value(self, name: str, **attributes: str) -> Number | None:
        """The newest value of the one series with these attributes, `slo_name="x"` standing for `slo.name`.

        None when there is no such series; `LookupError` when there are several.
        """
        wanted = {prometheus_label(key): value for key, value in attributes.items()}
        found = [
            value
            for told, value in self.values(name).items()
            if wanted.items() <= {(prometheus_label(key), text) for key, text in told}
        ]
        if len(found) > 1:
            raise LookupError(f"{len(found)} series of {name} have {wanted}; name more attributes")
        return found[0] if found else None

    def _metrics(self, name: str) -> Iterator[Metric]:
        for data in self.exports:
            for resource in data.resource_metrics:
                for scope in resource.scope_metrics:
                    yield from (metric for metric in scope.metrics if metric.name == name)
