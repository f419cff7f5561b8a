"""What to write instead, where what answers is not what the endpoint was written for."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from slo_otel.export._environment import GRPC, HTTP, choosing, shown
from slo_otel.export._sender import plain

_GRPC_PORT: Final = "4317"
_HTTP_PORT: Final = "4318"
"""The usual ports (OTLP specification)."""
_SETTINGS: Final = re.compile(r"BadStatusLine\(.\\x00\\x00(?:\\x[0-9a-f]{2}|\\?.)\\x04")
"""The frame by which a server of HTTP/2 begins, where a status line should be: its length, less than 256 bytes, and
its type (RFC 9113, 4.1)."""
_JUNK: Final = re.compile(r"BadStatusLine\((.+?)\)*$", re.DOTALL)
_MOST_SHOWN: Final = 60
_BROKEN: Final = re.compile(r"BadStatusLine|RemoteDisconnected|ConnectionResetError")
"""What a client of HTTP/1 may see of a gRPC server: the Collector's resets it, mostly before its frame is read."""
_HTTP_ANSWER: Final = re.compile(
    r"got frame type 80\b|http1\.x server|Received http2 header with status: (?:404|405|415)\b"
)
"""How grpcio says that HTTP was answered; the P of `HTTP/1.1` stands where a frame has its type."""
_NO_GRPC: Final = "Failed parsing HTTP/2"


def over_http(said: str, endpoint: str) -> str:
    """What a library `said` of a request to this URL that got no answer of HTTP, for a person."""
    usual = urlsplit(endpoint).port == int(_GRPC_PORT)
    instead = f"{_set(GRPC)} or use port {_HTTP_PORT}"
    if _SETTINGS.search(said):
        if usual:
            return f"it does not speak OTLP over HTTP; {_GRPC_PORT} is the usual port of gRPC: {instead}"
        return (
            f"it does not speak OTLP over HTTP but HTTP/2 alone, as gRPC does: {_set(GRPC)}, "
            f"or use its port for HTTP, usually {_HTTP_PORT}"
        )
    if usual and _BROKEN.search(said):
        return f"{_what(said)}; where that is gRPC, as usual at port {_GRPC_PORT}, {instead}"
    return _what(said)


def _what(said: str) -> str:
    junk = _JUNK.search(said)
    if junk is None:
        return plain(said)
    answer = junk[1] if len(junk[1]) <= _MOST_SHOWN else f"{junk[1][:_MOST_SHOWN]}…"
    return f"its answer is no HTTP: {answer}"


def over_grpc(said: str, target: str) -> str:
    """What grpcio `said` of a call to this target that failed, for a person."""
    answered = _HTTP_ANSWER.search(said) is not None
    if not answered and _NO_GRPC not in said:
        return plain(said)
    if target.rpartition(":")[2] == _HTTP_PORT:
        instead = f"{_set(HTTP)} or use port {_GRPC_PORT}"
        return f"it does not speak gRPC; {_HTTP_PORT} is the usual port of OTLP over HTTP: {instead}"
    if answered:
        return f"it does not speak gRPC but HTTP: {_set(HTTP)}, or use its port for gRPC, usually {_GRPC_PORT}"
    return "it does not speak gRPC: is it the right address?"


def _set(protocol: str) -> str:
    return f"set {choosing(protocol)}"


def nobody(said: str, url: str) -> str:
    """An answer that nobody takes metrics at this URL, with how the URL came about."""
    return (
        f"{said} at {shown(url)}: OTEL_EXPORTER_OTLP_ENDPOINT is a base to which /v1/metrics is added, "
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is taken whole"
    )
