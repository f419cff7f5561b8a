"""What the OTEL_* environment says about exporting metrics (specification, sdk-environment-variables).

Without an endpoint metrics go to the specification's default, http://localhost:4318, as the SDK's do: two lines and
a local Collector are enough. Nothing there costs one log line, once; `OTEL_METRICS_EXPORTER=none` sends nothing.
"""

from __future__ import annotations

import os
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter

from slo_otel.errors import ConfigurationError

DEFAULT_INTERVAL_NS: Final = 60_000_000_000
"""The specification's `OTEL_METRIC_EXPORT_INTERVAL`."""
_SUPPORTED: Final = ("", "otlp", "none")
_TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")


def wanted() -> bool:
    """Whether the environment lets metrics be sent. Raises `ConfigurationError` for an exporter we do not have."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    chosen = [name.strip().lower() for name in os.environ.get("OTEL_METRICS_EXPORTER", "").split(",")]
    return "none" not in chosen and _supported(chosen)


def _supported(chosen: list[str]) -> bool:
    """Another exporter may be meant for the service's own metrics: then OTLP must be among them."""
    if not set(chosen) & set(_SUPPORTED):
        raise ConfigurationError(
            f"OTEL_METRICS_EXPORTER is {','.join(chosen)!r}; slo_otel sends otlp. "
            f"Write otlp,{','.join(chosen)} or none, or give configure() an exporter"
        )
    protocol = _first("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in ("", "http/protobuf"):
        raise ConfigurationError(
            f"the OTLP protocol is {protocol!r}; slo_otel sends http/protobuf. "
            "Set OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf, or give configure() an exporter"
        )
    if not endpoint().lower().startswith(("http://", "https://")):
        raise ConfigurationError(
            f"the OTLP endpoint is {endpoint()!r}; write a URL, for example http://localhost:4318 "
            "(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT)"
        )
    return True


def interval_ns() -> int:
    """`OTEL_METRIC_EXPORT_INTERVAL` (milliseconds) in nanoseconds, 60 s unless set."""
    text = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "").strip()
    if not text:
        return DEFAULT_INTERVAL_NS
    if not text.isdigit() or not int(text):
        raise ConfigurationError(f"OTEL_METRIC_EXPORT_INTERVAL is {text!r}; write milliseconds, for example 60000")
    return int(text) * 1_000_000


def endpoint() -> str:
    """Where metrics go, for messages; the exporter reads the variables itself."""
    return _first("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318"


def patience() -> float:
    """Seconds an export may take: the exporter's own timeout where one is set, at most 30, else 5."""
    try:
        return min(float(_first(*_TIMEOUTS) or 5.0), 30.0)
    except ValueError:
        return 5.0


def otlp_exporter(timeout: float) -> MetricExporter:
    """The SDK's http/protobuf exporter, by the environment; `timeout` seconds where it names none."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(timeout=None if _first(*_TIMEOUTS) else timeout)


def _first(*variables: str) -> str:
    return next((text for name in variables if (text := os.environ.get(name, "").strip())), "")
