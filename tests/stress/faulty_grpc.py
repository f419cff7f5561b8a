"""A gRPC Collector that does as it is told: what arrived, what it answers, when, or never."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeAlias

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

Answering: TypeAlias = Callable[[grpc.ServicerContext, threading.Event], bytes]
"""Gets a call whose request was read, and the event that ends it all."""


def accepts(_: grpc.ServicerContext, __: threading.Event) -> bytes:
    """Takes everything."""
    return ExportMetricsServiceResponse().SerializeToString()


def answers(response: ExportMetricsServiceResponse) -> Answering:
    """Takes the request and says this."""
    return lambda _, __: response.SerializeToString()


def fails(code: grpc.StatusCode, said: str = "told to", *, retry_after: float | None = None) -> Answering:
    """Ends the call with this code, and says when to come again."""

    def fail(context: grpc.ServicerContext, _: threading.Event) -> bytes:
        if retry_after is not None:
            context.set_trailing_metadata((("grpc-status-details-bin", _details(code, retry_after)),))
        context.abort(code, said)

    return fail


def _details(code: grpc.StatusCode, retry_after: float) -> bytes:
    delay = Duration()
    delay.FromNanoseconds(int(retry_after * 1e9))
    packed = Packed()
    packed.Pack(RetryInfo(retry_delay=delay))
    number, _ = code.value
    return Status(code=number, details=[packed]).SerializeToString()


def hangs(_: grpc.ServicerContext, over: threading.Event) -> bytes:
    """Never answers."""
    over.wait(60)
    return b""


class GrpcCollector:
    """A server on loopback. `behave` may be changed between two calls. Reads requests of any size as bytes."""

    def __init__(
        self,
        behave: Answering = accepts,
        port: int = 0,
        *,
        credentials: grpc.ServerCredentials | None = None,
        options: Sequence[tuple[str, object]] = (),
        take: Callable[[bytes], object] = lambda _: None,
        where: str | None = None,
    ) -> None:
        """`take` gets the body of each request that is accepted, before it is answered. `where` replaces a port."""
        self.behave = behave
        self.bodies: list[bytes] = []
        """What arrived, oldest first, whatever was answered."""
        self.metadata: list[dict[str, str | bytes]] = []
        self._take = take
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(8)
        self._server = grpc.server(self._pool, options=[("grpc.so_reuseport", 0), *options])
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self._answer)
        service, _, name = METHOD[1:].rpartition("/")
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: handler}),))
        where = where or f"127.0.0.1:{port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(where)
        else:
            self.port = self._server.add_secure_port(where, credentials)
        self.endpoint = f"{'http' if credentials is None else 'https'}://127.0.0.1:{self.port}"

    def __enter__(self) -> GrpcCollector:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.stop(None).wait(5)
        self._pool.shutdown()

    def _answer(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        self.bodies.append(body)
        self.metadata.append({str(key): value for key, value in context.invocation_metadata() or ()})
        answer = self.behave(context, self._over)
        self._take(body)
        return answer
