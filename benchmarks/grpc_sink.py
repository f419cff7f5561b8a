"""An OTLP receiver over gRPC that takes requests and forgets them. Prints its port; runs until it is ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc

from benchmarks.lifetime import end_with_parent

SERVICE = "opentelemetry.proto.collector.metrics.v1.MetricsService"


def _take(_request: bytes, _context: grpc.ServicerContext) -> bytes:
    return b""


def main() -> None:
    """Serve, with the limit of four MiB that a server has by default."""
    end_with_parent()
    server = grpc.server(ThreadPoolExecutor(4))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_take)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
