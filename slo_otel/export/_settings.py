"""What the environment says about OTLP over HTTP and over gRPC (specification, protocol/exporter)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from opentelemetry.util.re import parse_env_headers

from slo_otel.export._environment import endpoint, first, otlp, own_version, patience


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files; empty where the environment names none."""

    authority: str
    """The certificates to trust."""
    certificate: str
    """The client's certificate, or one file with both."""
    key: str
    """The client's private key."""


@dataclass(frozen=True, slots=True)
class Http:
    """OTLP over HTTP."""

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


@dataclass(frozen=True, slots=True)
class Grpc:
    """OTLP over gRPC."""

    target: str
    """As gRPC names it: `host:port`, or any other form that it takes."""
    secure: bool
    """Whether by TLS."""
    metadata: tuple[tuple[str, str], ...]
    user_agent: str
    timeout: float
    """Seconds that one call may take."""
    gzip: bool
    tls: Tls
    provider: str
    """The name of an entry point that gives the credentials of the channel; empty without one."""


def http() -> Http:
    """What the environment says now."""
    said, files = compression(), tls()
    return Http(
        first("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") or f"{endpoint().removesuffix('/')}/v1/metrics",
        _headers(said),
        patience(),
        said,
        files.authority or first("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or True,
        (files.certificate, files.key) if files.certificate and files.key else files.certificate or None,
    )


def grpc() -> Grpc:
    """What the environment says now."""
    where, secure = target(endpoint())
    metadata, packed = tuple(headers().items()), compression() == "gzip"
    return Grpc(where, secure, metadata, _user_agent(), patience(), packed, tls(), provider())


def target(written: str) -> tuple[str, bool]:
    """Where an endpoint leads to, and whether by TLS: its scheme says so, else OTEL_EXPORTER_OTLP_INSECURE."""
    parts = urlsplit(written)
    if parts.scheme in ("http", "https"):
        return parts.netloc.rpartition("@")[2], parts.scheme == "https"
    return written, otlp("INSECURE").lower() != "true"


def compression() -> str:
    """`gzip`, `deflate` or `none`; whatever else was written."""
    return otlp("COMPRESSION").lower() or "none"


def headers() -> Mapping[str, str]:
    """The headers that the environment adds, names in lower case."""
    return parse_env_headers(otlp("HEADERS"), liberal=True)


def tls() -> Tls:
    """The files that the environment names."""
    return Tls(otlp("CERTIFICATE"), otlp("CLIENT_CERTIFICATE"), otlp("CLIENT_KEY"))


def provider() -> str:
    """The entry point of group `opentelemetry_otlp_credential_provider` that knows the channel's credentials."""
    return first(
        "OTEL_PYTHON_EXPORTER_OTLP_GRPC_METRICS_CREDENTIAL_PROVIDER",
        "OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER",
    )


def _user_agent() -> str:
    return f"slo-otel-OTLP-Exporter-Python/{own_version() or 'unknown'}"


def _headers(said: str) -> Mapping[str, str]:
    ours = {
        "content-type": "application/x-protobuf",
        "accept-encoding": "identity",
        "user-agent": _user_agent(),
    }
    packed = {} if said == "none" else {"content-encoding": said}
    return {**ours, **packed, **headers()}
