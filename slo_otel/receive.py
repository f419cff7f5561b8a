"""A small OTLP/HTTP receiver for demos and tests: what a Collector would have got.

It keeps the last cumulative point of every series of every process, and adds delta points up, so `counter` is what
a backend would sum.
It is no backend: plain HTTP on one address, nothing is stored, nothing expires.
"""

from __future__ import annotations

import json
import socket
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, TypeAlias

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_DELTA,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)

from slo_otel import names

__all__ = ["Answer", "Distribution", "Point", "Receiver"]

_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of one body, packed and unpacked: what the SDK's exporter sends at most."""
_GZIP_OR_ZLIB: Final = 47
"""zlib's 32 + 15: the header says which of the two it is."""

Attributes = tuple[tuple[str, str], ...]
"""Attribute names and values as text, sorted by name."""


_DataPoint: TypeAlias = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint


class Answer(StrEnum):
    """How the receiver answers an export."""

    ACCEPT = "accept"
    DROP = "drop"
    """Says 200 and forgets it: a collector that loses data."""
    UNAVAILABLE = "unavailable"
    """503, which an exporter retries."""
    REFUSE = "refuse"
    """400, which an exporter does not retry."""
    HANG = "hang"
    """Never answers, until the receiver is closed or told otherwise."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The buckets of a histogram point: `counts[i]` are in `(bounds[i-1], bounds[i]]`."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    def at_most(self, bound: float) -> int:
        """How many were at most `bound`, which must be one of `bounds`."""
        return sum(self.counts[: self.bounds.index(bound) + 1])


@dataclass(frozen=True, slots=True)
class Point:
    """The newest point of one series of one process."""

    instance: str
    """`service.instance.id` of the process that sent it."""
    service: str
    scope: str
    """The name of the instrumentation scope."""
    name: str
    unit: str
    kind: str
    """`counter`, `updown`, `gauge`, `histogram` or `exponential`."""
    attributes: Attributes
    start_ns: int
    time_ns: int
    value: int | float
    """The number; of a histogram its count."""
    distribution: Distribution | None = None
    delta: bool = False
    """Whether it says what was new; the receiver adds such points up, since the first one's start."""

    def attribute(self, name: str) -> str | None:
        """The value of one attribute as text, None when the point has none of that name."""
        return dict(self.attributes).get(name)


class Receiver:
    """An OTLP/HTTP receiver on a thread of its own, as a context manager.

    `port` 0 takes a free one. `drop` is the number of the export (from 1) that is answered with 200 and forgotten.
    Set `answer` at any time to change what the next exports get.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", drop: int | None = None) -> None:
        self.answer = Answer.ACCEPT
        self._drop = drop
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._closing = threading.Event()
        self._requests = 0
        self._points: dict[tuple[str, str, Attributes], Point] = {}
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to listen, for those who do not use `with`."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening and let hanging requests go. Idempotent."""
        self._closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def endpoint(self) -> str:
        """The base URL for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://{self._server.server_address[0]!s}:{self.port}"

    @property
    def requests(self) -> int:
        """How many exports arrived, whatever they were answered with."""
        with self._lock:
            return self._requests

    def points(self) -> tuple[Point, ...]:
        """The newest point of every series, sorted by name, attributes and process."""
        with self._lock:
            found = tuple(self._points.values())
        return tuple(sorted(found, key=lambda point: (point.name, point.attributes, point.instance)))

    def find(self, name: str, **attributes: str | int) -> tuple[Point, ...]:
        """The points of a metric that carry these attributes, `slo_name="x"` standing for `slo.name`."""
        wanted = {names.prometheus_label(key): str(value) for key, value in attributes.items()}
        return tuple(point for point in self.points() if point.name == name and wanted.items() <= _labels(point))

    def counter(self, name: str, **attributes: str | int) -> int:
        """The sum over processes and series of a counter (or of a histogram's counts), 0 when nothing arrived."""
        return sum(int(point.value) for point in self.find(name, **attributes))

    def wait(self, requests: int, timeout: float = 5.0) -> bool:
        """Block until so many exports arrived, or `timeout` seconds passed."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self._requests >= requests, timeout)

    def to_text(self) -> str:
        """Every series on a line: name, attributes, value and process."""
        return "\n".join(map(_line, self.points())) + "\n"

    def to_json(self) -> str:
        """Every series as a JSON list."""
        return json.dumps([_document(point) for point in self.points()], indent=2) + "\n"

    def _take(self, body: bytes) -> int:
        """Count an export, keep its points where it is accepted, and give the status of the answer."""
        points = tuple(_decode(body))
        with self._arrived:
            self._requests += 1
            answer = Answer.DROP if self._requests == self._drop else self.answer
            if answer is Answer.ACCEPT:
                self._keep(points)
            self._arrived.notify_all()
        while answer is Answer.HANG and self.answer is Answer.HANG and not self._closing.wait(0.05):
            pass
        return {Answer.UNAVAILABLE: 503, Answer.REFUSE: 400, Answer.HANG: 503}.get(answer, 200)

    def _keep(self, points: tuple[Point, ...]) -> None:
        for point in points:
            series = (point.instance, point.name, point.attributes)
            before = self._points.get(series)
            if point.delta and before is not None:
                self._points[series] = _added(before, point)
            elif before is None or before.time_ns <= point.time_ns:
                self._points[series] = point


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        super().__init__(address, _Handler)
        self.receiver = receiver
        self._open: set[object] = set()

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Serve a connection on a thread of its own."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Forget a connection that ended."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep: a Collector that is gone answers none of them."""
        for request in tuple(self._open):
            if isinstance(request, socket.socket):
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """`POST /v1/metrics` with a protobuf body, plain, gzip or deflate."""
        try:
            body = self._body()
            if self.path != "/v1/metrics":
                return self._answer(404, "text/plain", b"only /v1/metrics\n")
            status = self.server.receiver._take(body)
        except (DecodeError, OSError, ValueError, zlib.error):
            self.close_connection = True  # what was not read of it would be taken for the next request
            return self._answer(400, "text/plain", b"not an OTLP protobuf request\n")
        return self._answer(status, "application/x-protobuf", ExportMetricsServiceResponse().SerializeToString())

    def do_GET(self) -> None:
        """`/` as text, `/json` as JSON."""
        if self.path == "/json":
            return self._answer(200, "application/json", self.server.receiver.to_json().encode())
        return self._answer(200, "text/plain; charset=utf-8", self.server.receiver.to_text().encode())

    def _body(self) -> bytes:
        """The unpacked body. Raises `ValueError` where its length is not told (chunks) or beyond the limit."""
        size = int(self.headers.get("Content-Length", ""))
        if not 0 <= size <= _LIMIT:
            raise ValueError(size)
        return _unpack(self.rfile.read(size), self.headers.get("Content-Encoding", ""))

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: what arrives is asked for by `points`."""


def _unpack(body: bytes, encoding: str) -> bytes:
    if encoding not in ("gzip", "deflate"):
        return body
    unpacker = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
    plain = unpacker.decompress(body, _LIMIT)
    if not unpacker.eof:
        raise ValueError("truncated, or larger than the limit")
    return plain


def _decode(body: bytes) -> Iterator[Point]:
    request = ExportMetricsServiceRequest.FromString(body)
    for resource in request.resource_metrics:
        of = dict(_texts(resource.resource.attributes))
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield from _points(metric, of, scope.scope.name)


def _points(metric: Metric, resource: dict[str, str], scope: str) -> Iterator[Point]:
    kind, data, temporality = _data(metric)
    for point in data:
        yield Point(
            instance=resource.get("service.instance.id", ""),
            service=resource.get("service.name", ""),
            scope=scope,
            name=metric.name,
            unit=metric.unit,
            kind=kind,
            attributes=_texts(point.attributes),
            start_ns=point.start_time_unix_nano,
            time_ns=point.time_unix_nano,
            value=_value(point),
            distribution=_distribution(point),
            delta=temporality == AGGREGATION_TEMPORALITY_DELTA,
        )


def _added(before: Point, point: Point) -> Point:
    """Two delta points of one series, as one."""
    distribution = point.distribution
    if distribution is not None and before.distribution is not None:
        counts = map(sum, zip(before.distribution.counts, distribution.counts, strict=True))
        total = before.distribution.sum + distribution.sum
        distribution = Distribution(distribution.bounds, tuple(counts), total)
    return replace(point, start_ns=before.start_ns, value=before.value + point.value, distribution=distribution)


def _data(metric: Metric) -> tuple[str, Iterable[_DataPoint], int]:
    """Kind, points and temporality, 0 where there is none."""
    match metric.WhichOneof("data"):
        case "sum":
            kind = "counter" if metric.sum.is_monotonic else "updown"
            return kind, metric.sum.data_points, metric.sum.aggregation_temporality
        case "gauge":
            return "gauge", metric.gauge.data_points, 0
        case "histogram":
            return "histogram", metric.histogram.data_points, metric.histogram.aggregation_temporality
        case "exponential_histogram":
            exponential = metric.exponential_histogram
            return "exponential", exponential.data_points, exponential.aggregation_temporality
        case _:
            return "other", (), 0


def _value(point: _DataPoint) -> int | float:
    if not isinstance(point, NumberDataPoint):
        return point.count
    return point.as_int if point.WhichOneof("value") == "as_int" else point.as_double


def _distribution(point: _DataPoint) -> Distribution | None:
    if not isinstance(point, HistogramDataPoint):
        return None
    return Distribution(tuple(point.explicit_bounds), tuple(point.bucket_counts), point.sum)


def _texts(attributes: Iterable[KeyValue]) -> Attributes:
    return tuple(sorted((pair.key, _text(pair.value)) for pair in attributes))


def _text(value: AnyValue) -> str:
    field = value.WhichOneof("value")
    return "" if field is None else str(getattr(value, field))


def _labels(point: Point) -> set[tuple[str, str]]:
    return {(names.prometheus_label(key), value) for key, value in point.attributes}


def _line(point: Point) -> str:
    labels = ",".join(f'{key}="{value}"' for key, value in point.attributes)
    return f"{point.name}{{{labels}}} {point.value} {point.instance}"


def _document(point: Point) -> dict[str, object]:
    found: dict[str, object] = {
        "name": point.name,
        "kind": point.kind,
        "unit": point.unit,
        "service": point.service,
        "instance": point.instance,
        "attributes": dict(point.attributes),
        "start_ns": point.start_ns,
        "time_ns": point.time_ns,
        "value": point.value,
    }
    if point.distribution is not None:
        found |= {"bounds": point.distribution.bounds, "counts": point.distribution.counts}
        found |= {"sum": point.distribution.sum}
    return found
