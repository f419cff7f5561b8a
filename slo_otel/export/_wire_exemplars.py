"""OTLP's encoding of exemplars; field numbers are those of opentelemetry/proto/metrics/v1/metrics.proto."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from opentelemetry.sdk.metrics import Exemplar

from slo_otel.export._protobuf import field, pair

OF_NUMBER: Final = 5
OF_EXPLICIT: Final = 8
OF_EXPONENTIAL: Final = 11
"""Where each kind of point has its exemplars."""
_TIME: Final = Struct("<BQ")
_INTEGER: Final = Struct("<Bq")
_DOUBLE: Final = Struct("<Bd")


def exemplars(at: int, found: Sequence[Exemplar]) -> bytes:
    """The exemplars of one point."""
    return b"".join([field(at, _exemplar(each)) for each in found]) if found else b""


def _exemplar(of: Exemplar) -> bytes:
    value = of.value
    return b"".join(
        (
            _TIME.pack(0x11, of.time_unix_nano),
            _INTEGER.pack(0x31, value) if isinstance(value, int) else _DOUBLE.pack(0x19, value),
            _ids(of),
            *(pair(7, name, text) for name, text in (of.filtered_attributes or {}).items()),
        )
    )


def _ids(of: Exemplar) -> bytes:
    """Both or none: a span is nothing without its trace."""
    if of.span_id is None or of.trace_id is None:
        return b""
    return field(4, of.span_id.to_bytes(8, "big")) + field(5, of.trace_id.to_bytes(16, "big"))
