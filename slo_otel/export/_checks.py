"""Whether metrics are sent, and whether what the environment says about it can work: asked at set-up, once."""

from __future__ import annotations

import re
import ssl
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from slo_otel.errors import ConfigurationError
from slo_otel.export import _settings as settings
from slo_otel.export._config_file import say_unread
from slo_otel.export._disabled import sdk_disabled
from slo_otel.export._environment import (
    GRPC,
    HTTP,
    NAMED,
    endpoint,
    exporters,
    first,
    otlp,
    protocol,
    shown,
    spelled,
)

_SUPPORTED: Final = ("", "otlp", *NAMED, "slo_otel", "none")
"""`slo_otel` takes ours along in the SDK's; where no SDK has read the variable, our own loop sends."""
_COMPRESSIONS: Final = {HTTP: ("gzip", "deflate", "none"), GRPC: ("gzip", "none")}
"""No Collector unpacks deflate over gRPC."""
_RESOLVERS: Final = ("dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds")
"""The schemes of gRPC's own names (grpc.io, naming)."""
_HTTP_PROVIDERS: Final = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
)


def wanted() -> bool:
    """Whether the environment lets metrics be sent. Raises `ConfigurationError` for what cannot work as written."""
    if sdk_disabled():
        return False
    chosen = exporters()
    if "none" in chosen:
        return False
    _exporter(chosen)
    _protocol()
    _endpoint()
    _compression()
    _headers()
    _provider()
    if _secure():
        _files(settings.tls())
    say_unread(endpoint())
    return True


def _exporter(chosen: tuple[str, ...]) -> None:
    """Another exporter may be meant for the service's own metrics: then OTLP must be among them."""
    if not set(chosen) & set(_SUPPORTED):
        written = ",".join(chosen)
        meant = [near for name in chosen for near in get_close_matches(name, _SUPPORTED, 1, 0.7)]
        add = f"Write otlp,{written} or none, or give configure() an exporter"
        fix = f"Did you mean {meant[0]}?" if meant else add
        raise ConfigurationError(f"OTEL_METRICS_EXPORTER is {written!r}; slo_otel sends otlp. {fix}")


def _protocol() -> None:
    if protocol() not in (HTTP, GRPC):
        raise ConfigurationError(
            f"the OTLP protocol is {protocol()!r}; slo_otel sends http/protobuf or grpc. "
            "Set OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf, or give configure() an exporter"
        )


def _endpoint() -> None:
    written = endpoint()
    scheme, apart, _ = written.lower().partition("://")
    known = (*_RESOLVERS, "http", "https") if protocol() == GRPC else ("http", "https")
    bare = not apart and protocol() == GRPC
    if not (bare or (scheme in known and _host(written))):
        raise ConfigurationError(
            f"the OTLP endpoint is {shown(written)!r}; write a URL, for example {_example()} "
            "(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT)"
        )


def _host(url: str) -> bool:
    """Whether a URL names a host, and a port that can be one. Other names are gRPC's to judge."""
    try:
        parts = urlsplit(url)
        return parts.scheme not in ("http", "https") or (bool(parts.hostname) and parts.port != 0)
    except ValueError:
        return False


def _example() -> str:
    return "http://localhost:4317" if protocol() == GRPC else "http://localhost:4318"


def _compression() -> None:
    known = _COMPRESSIONS[protocol()]
    if settings.compression() not in known:
        *others, last = known
        raise ConfigurationError(
            f"the OTLP compression is {settings.compression()!r}; write {', '.join(others)} or {last}"
        )


def _headers() -> None:
    """What the other side would never see, or see as something else. Values are secrets, so none is shown."""
    shown = "[\x20-\x7e]*" if protocol() == GRPC else "[\t\x20-\x7e\xa0-\xff]*"
    for name, value in settings.headers().items():
        binary = protocol() == GRPC and name.endswith("-bin")
        if binary or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name) or not re.fullmatch(shown, value):
            raise ConfigurationError(
                f"the OTLP header {name!r} cannot be sent over {protocol()}: write name=value pairs of printable "
                "characters (OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_METRICS_HEADERS)"
            )


def _provider() -> None:
    asked = first(*_HTTP_PROVIDERS)
    if asked and protocol() == HTTP:
        raise ConfigurationError(
            f"the OTLP credential provider is {asked!r}, which only the SDK's exporter asks. "
            "Give configure() one: exporter=OTLPMetricExporter()"
        )


def _secure() -> bool:
    if protocol() == GRPC:
        return settings.target(endpoint())[1] and not settings.provider()
    return urlsplit(endpoint()).scheme == "https"


def _files(tls: settings.Tls) -> None:
    """Read every file as an export would, so that a mistake is told now and not by handshakes that fail."""
    if tls.key and not tls.certificate:
        raise ConfigurationError(f"{_named('CLIENT_KEY')} needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE beside it")
    for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
        _readable(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if tls.authority and Path(tls.authority).is_file():
            context.load_verify_locations(tls.authority)
    except (ssl.SSLError, OSError) as fault:
        raise ConfigurationError(f"{_named('CERTIFICATE')} holds no certificate in PEM") from fault
    try:
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key or None, _no_password)
    except (ssl.SSLError, OSError) as fault:
        raise ConfigurationError(
            f"{_named('CLIENT_CERTIFICATE')} and its key (OTEL_EXPORTER_OTLP_CLIENT_KEY) are no pair in PEM"
        ) from fault


def _readable(name: str) -> None:
    path = Path(otlp(name))
    if not otlp(name) or (protocol() == HTTP and name == "CERTIFICATE" and path.is_dir()):
        return
    try:
        path.read_bytes()
    except OSError as fault:
        raise ConfigurationError(f"{_named(name)} cannot be read: {fault.strerror}") from fault


def _named(name: str) -> str:
    """A variable and what it says, as in `OTEL_EXPORTER_OTLP_CERTIFICATE='/ca.pem'`."""
    return f"{spelled(name)}={otlp(name)!r}"


def _no_password() -> str:
    raise ConfigurationError(f"{_named('CLIENT_KEY')} is encrypted: a service has nobody to ask for its password")
