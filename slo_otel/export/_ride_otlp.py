"""`OTEL_METRICS_EXPORTER=slo_otel`: the SDK's OTLP exporter, with our metrics among the service's."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter

from slo_otel.errors import ConfigurationError
from slo_otel.export._ride_along import RideAlongExporter

_GROUP: Final = "opentelemetry_metrics_exporter"
_PROTOCOLS: Final = {
    "http/protobuf": ("otlp_proto_http", "opentelemetry-exporter-otlp-proto-http"),
    "grpc": ("otlp_proto_grpc", "opentelemetry-exporter-otlp-proto-grpc"),
}
"""The SDK's name of each exporter, and its distribution."""


class RideAlongOtlp(RideAlongExporter):
    """Made by the SDK, from the environment or from the exporter's section of a configuration file."""

    def __init__(self, **options: object) -> None:
        """`options` are those of the SDK's exporter, and `protocol`, where the environment's is not meant.

        Raises `ConfigurationError` for a protocol that there is no exporter for.
        """
        super().__init__(_made(str(options.pop("protocol", None) or _protocol()), options))


def _protocol() -> str:
    names = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    return next((text for name in names if (text := os.environ.get(name, "").strip())), "http/protobuf")


def _made(protocol: str, options: dict[str, object]) -> MetricExporter:
    if protocol not in _PROTOCOLS:
        raise ConfigurationError(f"the OTLP protocol is {protocol!r}; write {' or '.join(_PROTOCOLS)}")
    name, distribution = _PROTOCOLS[protocol]
    found = next(iter(entry_points(group=_GROUP, name=name)), None)
    if found is None:
        raise ConfigurationError(f"no exporter for OTLP over {protocol} is installed: pip install {distribution}")
    made: MetricExporter = found.load()(**options)
    return made
