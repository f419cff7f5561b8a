"""The receiver: one store of arrivals with a door for each protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from slo_otel.errors import ConfigurationError
from slo_otel.receive._arrivals import Answer, Arrivals
from slo_otel.receive._http import HttpDoor
from slo_otel.receive._points import Point
from slo_otel.receive._views import as_json, as_text, chosen

if TYPE_CHECKING:
    from slo_otel.receive._grpc import GrpcDoor

__all__ = ["Receiver"]


class Receiver:
    """An OTLP receiver on threads of its own, as a context manager.

    `port` is the one for HTTP, `grpc_port` the one for gRPC, which is off where it is None; 0 takes a free one.
    `drop` is the number of the export (from 1) that is accepted and forgotten.
    Raises `OSError` with `host:port` as its `filename` where a port cannot be had, and `ConfigurationError` where
    gRPC is asked for without the extra `grpc`.
    """

    def __init__(
        self, port: int = 0, *, host: str = "127.0.0.1", grpc_port: int | None = None, drop: int | None = None
    ) -> None:
        self._arrivals = Arrivals(drop)
        with _naming(host, port):
            self._http = HttpDoor(host, port, self._arrivals)
        try:
            self._grpc = None if grpc_port is None else _grpc_door(self._http.host, grpc_port, self._arrivals)
        except BaseException:
            self._http.close()
            raise

    def __enter__(self) -> Receiver:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to listen, for those who do not use `with`."""
        self._http.start()

    def close(self) -> None:
        """Stop listening and let hanging requests go. Idempotent."""
        self._arrivals.close()
        self._http.close()
        if self._grpc is not None:
            self._grpc.close()

    @property
    def answer(self) -> Answer:
        """What the next exports get, over both protocols. Set it at any time."""
        return self._arrivals.answer

    @answer.setter
    def answer(self, answer: Answer) -> None:
        self._arrivals.answer = answer

    @property
    def port(self) -> int:
        """The port it listens on for HTTP."""
        return self._http.port

    @property
    def endpoint(self) -> str:
        """The base URL for `OTEL_EXPORTER_OTLP_ENDPOINT` with `http/protobuf`."""
        return f"http://{self._http.host}:{self.port}"

    @property
    def grpc_endpoint(self) -> str:
        """The URL for `OTEL_EXPORTER_OTLP_ENDPOINT` with `grpc`. Raises `ConfigurationError` where gRPC is off."""
        if self._grpc is None:
            raise ConfigurationError("this receiver has no port for gRPC; make it with Receiver(grpc_port=0)")
        return f"http://{self._http.host}:{self._grpc.port}"

    @property
    def requests(self) -> int:
        """How many exports arrived, whatever they were answered with."""
        return self._arrivals.requests

    def points(self) -> tuple[Point, ...]:
        """The newest point of every series, sorted by name, attributes and process."""
        return self._arrivals.points()

    def find(self, name: str, **attributes: str | int) -> tuple[Point, ...]:
        """The points of a metric that carry these attributes, `slo_name="x"` standing for `slo.name`."""
        return chosen(self.points(), name, attributes)

    def counter(self, name: str, **attributes: str | int) -> int:
        """The sum over processes and series of a counter (or of a histogram's counts), 0 when nothing arrived."""
        return sum(int(point.value) for point in self.find(name, **attributes))

    def wait(self, requests: int, timeout: float = 5.0) -> bool:
        """Block until so many exports arrived, or `timeout` seconds passed."""
        return self._arrivals.wait(requests, timeout)

    def to_text(self) -> str:
        """Every series on a line: name, attributes, value and process."""
        return as_text(self.points())

    def to_json(self) -> str:
        """Every series as a JSON list."""
        return as_json(self.points())


def _grpc_door(host: str, port: int, arrivals: Arrivals) -> GrpcDoor:
    try:
        from slo_otel.receive._grpc import GrpcDoor
    except ImportError as fault:
        raise ConfigurationError(f'gRPC is off ({fault}): pip install "slo-otel[grpc]"') from fault
    with _naming(host, port):
        return GrpcDoor(host, port, arrivals)


@contextmanager
def _naming(host: str, port: int) -> Iterator[None]:
    """Say of which of the two ports it is that it cannot be had."""
    try:
        yield
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, f"{host}:{port}") from fault
