"""OTLP over HTTP with deadlines that hold, whatever the other side does.

The SDK's exporter cannot be stopped while it waits for an answer, reads whatever comes back, and takes a redirect
or a login page for success. Here `stop` ends a wait in another thread by shutting its connection down: who calls
it at a deadline bounds everything, connecting, sending, the answer's headers and its body, a byte at a time or not.
"""

from __future__ import annotations

import gzip
import time
import zlib
from email.utils import parsedate_to_datetime
from typing import Final

import requests
from opentelemetry.sdk.metrics.export import MetricsData
from requests.utils import get_environ_proxies, get_netrc_auth

from slo_otel.export._answers import rejected
from slo_otel.export._connections import Connections
from slo_otel.export._halves import divisible
from slo_otel.export._mistaken import nobody, over_http
from slo_otel.export._paced import pause
from slo_otel.export._sender import MOST_BYTES, SLOW, TOO_LARGE, Failure
from slo_otel.export._settings import Http
from slo_otel.export._tries import Tries
from slo_otel.export._wire import encode

_MOST_READ: Final = 64 * 1024
"""Bytes of an answer that are read. An OTLP answer has a few; the rest is nobody's we would listen to."""
_RETRYABLE: Final = frozenset({429, 502, 503, 504})
"""The OTLP specification's retryable statuses."""
_TOO_LARGE: Final = 413
_NOBODY: Final = frozenset({404, 405})
"""Nobody takes metrics there."""


class HttpSender:
    """Sends OTLP to the endpoint of the environment, over one connection that is kept."""

    def __init__(self, settings: Http) -> None:
        """Opens nothing yet."""
        self._settings = settings
        self._tries = Tries()
        self._connections = Connections()
        self._session = self._connections.session()
        self._session.headers.update(settings.headers)
        self._session.verify, self._session.cert = settings.verify, settings.cert
        # What requests would look up again for every request: the whole environment, and a file.
        self._session.trust_env = False
        self._session.proxies = get_environ_proxies(settings.endpoint)
        self._session.auth = get_netrc_auth(settings.endpoint)
        self._answered = False

    def send(self, data: MetricsData, deadline: float, *, patient: bool) -> Failure | None:
        """Send, and again after what passes, for as long as there is time."""
        body = encode(data)
        if len(body) > MOST_BYTES and divisible(data):
            return TOO_LARGE
        packed = self._packed(body)
        return self._tries.run(lambda: self._post(packed, deadline), deadline, patient=patient)

    def stop(self) -> None:
        """End the wait of `send`: its connection says that the other side is gone."""
        self._tries.stop()
        self._connections.cut()

    def close(self) -> None:
        """Close the connection that was kept."""
        self._connections.close()
        self._session.close()

    def _packed(self, body: bytes) -> bytes:
        """Level 1: nine times as fast as gzip's default for an eighth more bytes (opentelemetry.md 2)."""
        match self._settings.compression:
            case "gzip":
                return gzip.compress(body, 1)
            case "deflate":
                return zlib.compress(body, 1)
            case _:
                return body

    def _post(self, body: bytes, deadline: float) -> Failure | None:
        """One request; a second one at once where a connection that had been kept turned out to be gone."""
        kept, self._answered = self._answered, False
        failure = self._exchange(body, deadline)
        if failure is not None and kept and failure.kind == "ConnectionError":
            failure = self._exchange(body, deadline)
        self._answered = failure is None
        return failure

    def _exchange(self, body: bytes, deadline: float) -> Failure | None:
        left = min(deadline - time.monotonic(), self._settings.timeout)
        if left <= 0 or self._tries.stopped():
            return SLOW
        pause()
        try:
            with self._session.post(
                self._settings.endpoint, data=body, timeout=left, allow_redirects=False, stream=True
            ) as answer:
                said = answer.raw.read(_MOST_READ, decode_content=False)
                # A connection that was cut within the headers looks like an answer that has no more of them.
                return SLOW if self._tries.stopped() else _judged(answer, said)
        except Exception as fault:  # noqa: BLE001 - whatever a library makes of what came back
            return self._failure(fault)
        finally:
            if self._tries.stopped():
                self._session.close()

    def _failure(self, fault: Exception) -> Failure:
        if self._tries.stopped() or "timed out" in str(fault).lower():
            return SLOW
        said = over_http(str(fault), self._settings.endpoint)
        return Failure(type(fault).__name__, said, passing=isinstance(fault, OSError))


def _judged(answer: requests.Response, body: bytes) -> Failure | None:
    """What an answer means. Success is a 2xx that may have come from a Collector, and that refuses no point."""
    status, said = answer.status_code, answer.reason or str(answer.status_code)
    if 200 <= status < 300:
        return _accepted(answer.headers.get("Content-Type", ""), body)
    if 300 <= status < 400:
        where = answer.headers.get("Location", "nowhere")
        return Failure(str(status), f"{said}: redirected to {where}, which is not followed")
    if status in _NOBODY:
        return Failure(str(status), nobody(said, answer.url))
    after = _retry_after(answer.headers.get("Retry-After"))
    return Failure(str(status), said, status in _RETRYABLE, after, large=status == _TOO_LARGE)


def _accepted(content_type: str, body: bytes) -> Failure | None:
    if content_type.startswith("text/html"):
        return Failure("text/html", "a web page answered, no Collector: is it the right address?")
    if content_type.startswith("application/x-protobuf") and body:
        return rejected(body)
    return None


def _retry_after(said: str | None) -> float | None:
    """Seconds, from seconds or a date (RFC 9110, 10.2.3); None for anything else."""
    if said is None:
        return None
    if said.strip().isdecimal():
        return float(said)
    try:
        return max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None
