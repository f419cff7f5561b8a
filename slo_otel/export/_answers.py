"""What the body of a Collector's answer says, over HTTP and gRPC alike."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from slo_otel.export._sender import Failure


def rejected(body: bytes) -> Failure | None:
    """Points that the Collector took and threw away. Sending them again would not help (OTLP specification)."""
    try:
        partial = ExportMetricsServiceResponse.FromString(body).partial_success
    except DecodeError:
        return None
    if not partial.rejected_data_points:
        return None
    said = f"{partial.rejected_data_points} points rejected: {partial.error_message}"
    return Failure("partial_success", said, arrived=True)
