"""What the OTEL_* environment says about exporting metrics (specification, sdk-environment-variables).

Without an endpoint metrics go to the specification's default, http://localhost:4318, as the SDK's do: two lines and
a local Collector are enough. Nothing there costs one log line, once; `OTEL_METRICS_EXPORTER=none` sends nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from opentelemetry.util.re import parse_env_headers

from slo_otel.errors import ConfigurationError

DEFAULT_INTERVAL_NS: Final = 60_000_000_000
"""The specification's `OTEL_METRIC_EXPORT_INTERVAL`."""
_SUPPORTED: Final = ("", "otlp", "none")
_COMPRESSIONS: Final = ("", "none", "gzip", "deflate")
_CREDENTIALS: Final = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
)


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
    protocol = _otlp("PROTOCOL")
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
    if _otlp("COMPRESSION").lower() not in _COMPRESSIONS:
        raise ConfigurationError(f"the OTLP compression is {_otlp('COMPRESSION')!r}; write gzip, deflate or none")
    if provider := _first(*_CREDENTIALS):
        raise ConfigurationError(
            f"the OTLP credential provider is {provider!r}, which only the SDK's exporter asks. "
            "Give configure() one: exporter=OTLPMetricExporter()"
        )
    return True


def interval_ns() -> int:
    """`OTEL_METRIC_EXPORT_INTERVAL` (milliseconds) in nanoseconds, 60 s unless set."""
    text = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "").strip()
    if not text:
        return DEFAULT_INTERVAL_NS
    if not re.fullmatch("0*[1-9][0-9]{0,11}", text):
        raise ConfigurationError(f"OTEL_METRIC_EXPORT_INTERVAL is {text!r}; write milliseconds, for example 60000")
    return int(text) * 1_000_000


def endpoint() -> str:
    """Where metrics go; a base URL unless it is the one for metrics."""
    return _otlp("ENDPOINT") or "http://localhost:4318"


def patience() -> float:
    """Seconds an export may take: OTEL_EXPORTER_OTLP_TIMEOUT where it is a time, at most 30, else 5."""
    with suppress(ValueError):
        written = float(_otlp("TIMEOUT"))
        if written > 0:
            return min(written, 30.0)
    return 5.0


@dataclass(frozen=True, slots=True)
class Http:
    """What the environment says about OTLP over HTTP (specification, protocol/exporter)."""

    endpoint: str
    headers: Mapping[str, str]
    timeout: float
    """Seconds that one request may take."""
    compression: str
    """`gzip`, `deflate` or `none`."""
    verify: str | bool
    """The certificates to trust: a file, or those of the system."""
    cert: tuple[str, str] | str | None
    """The client's certificate and key, or one file with both."""


def http() -> Http:
    """What the environment says now."""
    compression = _otlp("COMPRESSION").lower() or "none"
    return Http(
        _first("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") or f"{endpoint().removesuffix('/')}/v1/metrics",
        _headers(compression),
        patience(),
        compression,
        _otlp("CERTIFICATE") or _first("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or True,
        _client(_otlp("CLIENT_CERTIFICATE"), _otlp("CLIENT_KEY")),
    )


def _headers(compression: str) -> Mapping[str, str]:
    ours = {
        "content-type": "application/x-protobuf",
        "accept-encoding": "identity",
        "user-agent": f"slo-otel-OTLP-Exporter-Python/{own_version() or 'unknown'}",
    }
    packed = {} if compression == "none" else {"content-encoding": compression}
    return {**ours, **packed, **parse_env_headers(_otlp("HEADERS"), liberal=True)}


def _client(certificate: str, key: str) -> tuple[str, str] | str | None:
    return (certificate, key) if certificate and key else certificate or None


@cache
def own_version() -> str | None:
    """The version of this package; None where it is not installed."""
    try:
        return version("slo-otel")
    except PackageNotFoundError:
        return None


def _otlp(name: str) -> str:
    return _first(f"OTEL_EXPORTER_OTLP_METRICS_{name}", f"OTEL_EXPORTER_OTLP_{name}")


def _first(*variables: str) -> str:
    return next((text for name in variables if (text := os.environ.get(name, "").strip())), "")
