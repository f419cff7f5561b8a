"""OTLP over gRPC: `MetricsService/Export`. Loaded where a port for gRPC was asked for, and imports grpc."""

from __future__ import annotations

import errno
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc

from slo_otel.receive._arrivals import LIMIT, Answer, Arrivals
from slo_otel.receive._decode import TAKEN

__all__ = ["GrpcDoor"]

_SERVICE: Final = "opentelemetry.proto.collector.metrics.v1.MetricsService"
_CODES: Final = {
    Answer.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Answer.REFUSE: grpc.StatusCode.INVALID_ARGUMENT,
}
_THREADS: Final = 8
"""Exports at a time; the others wait."""
_CLOSE_SECONDS: Final = 5.0
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # else a second server would share the port, and get half of the exports
    ("grpc.max_receive_message_length", LIMIT),
)


class GrpcDoor:
    """A server on threads of its own. Raises `OSError` where the port cannot be had.

    It answers as soon as it is made: one that was bound and never started would keep its port for good.
    """

    def __init__(self, host: str, port: int, arrivals: Arrivals) -> None:
        _free(host, port)
        self._arrivals = arrivals
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="slo-otel-receive")
        self._server = grpc.server(self._pool, options=_OPTIONS)
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self._export)
        service = grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler})
        self._server.add_generic_rpc_handlers((service,))
        self.port = self._bound(host, port)
        self._server.start()

    def close(self) -> None:
        """Stop listening and end the calls. Idempotent."""
        self._server.stop(None).wait(_CLOSE_SECONDS)
        self._pool.shutdown()

    def _bound(self, host: str, port: int) -> int:
        try:
            return self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as fault:  # taken since it was free
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from fault

    def _export(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            answer = self._arrivals.take(body, context.is_active)
        except ValueError as fault:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(fault))
        if answer in _CODES:
            context.abort(_CODES[answer], f"told to {answer}")
        return TAKEN


def _free(host: str, port: int) -> None:
    """Raises `OSError` with the system's own reason where a port cannot be had: gRPC writes it to stderr only."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((host, port))
        tried.listen()
