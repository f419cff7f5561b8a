"""OTLP's encoding of data points: of the SDK's point objects, and of ours without making such an object.

An attribute is encoded once: those of a series stay with it, and a verdict is one of a few. What is left of a point
is a handful of joined bytes. Field numbers are those of opentelemetry/proto/metrics/v1/metrics.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Final

from opentelemetry.sdk.metrics.export import (
    Buckets,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
)

from slo_otel import names
from slo_otel.export._protobuf import field, pair, small, varint, zigzag
from slo_otel.export._series import Told
from slo_otel.export._wire_exemplars import OF_EXPLICIT, OF_EXPONENTIAL, OF_NUMBER, exemplars

_TIMES: Final = Struct("<BQBQ")
_INTEGER: Final = Struct("<Bq")
_DOUBLE: Final = Struct("<Bd")
_COUNT_SUM: Final = Struct("<BQBd")
_ZEROS: Final = Struct("<BQ")
_OF_NUMBER: Final = 7
_OF_EXPLICIT: Final = 9
_OF_EXPONENTIAL: Final = 1
"""Where each kind of point has its attributes."""


def gauge(point: NumberDataPoint) -> bytes:
    """A point of a gauge, which has no start."""
    return _number(0, point)


def number(point: NumberDataPoint) -> bytes:
    """A point of a sum."""
    return _number(point.start_time_unix_nano, point)


def _number(start_ns: int, point: NumberDataPoint) -> bytes:
    value = point.value
    told = _INTEGER.pack(0x31, value) if isinstance(value, int) else _DOUBLE.pack(0x21, value)
    shown = exemplars(OF_NUMBER, point.exemplars)
    return _times(start_ns, point.time_unix_nano) + told + _attributes(_OF_NUMBER, point.attributes) + shown


def explicit(point: HistogramDataPoint) -> bytes:
    """A point of an explicit histogram."""
    return b"".join(
        (
            _times(point.start_time_unix_nano, point.time_unix_nano),
            _COUNT_SUM.pack(0x21, point.count, 0x29, point.sum),
            _explicit_counts(point.bucket_counts),
            _bounds(tuple(point.explicit_bounds)),
            _attributes(_OF_EXPLICIT, point.attributes),
            exemplars(OF_EXPLICIT, point.exemplars),
        )
    )


def exponential(point: ExponentialHistogramDataPoint) -> bytes:
    """A point of an exponential histogram."""
    return b"".join(
        (
            _times(point.start_time_unix_nano, point.time_unix_nano),
            _COUNT_SUM.pack(0x21, point.count, 0x29, point.sum),
            _scale(point.scale),
            _ZEROS.pack(0x39, point.zero_count),
            _buckets(point.positive),
            _attributes(_OF_EXPONENTIAL, point.attributes),
            exemplars(OF_EXPONENTIAL, point.exemplars),
        )
    )


def number_of(told: Told, verdict: str, start_ns: int, time_ns: int, value: int) -> bytes:
    """A point of a sum of events, by what it says."""
    return b"".join((_times(start_ns, time_ns), _INTEGER.pack(0x31, value), _told(_OF_NUMBER, told, verdict)))


def explicit_of(
    told: Told,
    verdict: str,
    start_ns: int,
    time_ns: int,
    counts: Sequence[int],
    bounds: tuple[float, ...],
    total: float,
) -> bytes:
    """A point of an explicit histogram, by what it says; `total` is the sum of its values."""
    return b"".join(
        (
            _times(start_ns, time_ns),
            _COUNT_SUM.pack(0x21, sum(counts), 0x29, total),
            _explicit_counts(counts),
            _bounds(bounds),
            _told(_OF_EXPLICIT, told, verdict),
        )
    )


def exponential_of(
    told: Told, verdict: str, start_ns: int, time_ns: int, scale: int, zeros: int, positive: Buckets, total: float
) -> bytes:
    """A point of an exponential histogram, by what it says; `total` is the sum of its values."""
    return b"".join(
        (
            _times(start_ns, time_ns),
            _COUNT_SUM.pack(0x21, zeros + sum(positive.bucket_counts), 0x29, total),
            _scale(scale),
            _ZEROS.pack(0x39, zeros),
            _buckets(positive),
            _told(_OF_EXPONENTIAL, told, verdict),
        )
    )


def _times(start_ns: int, time_ns: int) -> bytes:
    return _TIMES.pack(0x11, start_ns, 0x19, time_ns)


def _explicit_counts(counts: Sequence[int]) -> bytes:
    return field(6, _packed("Q", len(counts)).pack(*counts))


@lru_cache(maxsize=1024)
def _bounds(bounds: tuple[float, ...]) -> bytes:
    return field(7, _packed("d", len(bounds)).pack(*bounds))


@lru_cache(maxsize=1024)
def _packed(kind: str, size: int) -> Struct:
    return Struct(f"<{size}{kind}")


@lru_cache(maxsize=32)
def _scale(scale: int) -> bytes:
    return small(6, zigzag(scale))


def _buckets(buckets: Buckets) -> bytes:
    counts = buckets.bucket_counts
    return field(8, small(1, zigzag(buckets.offset)) + field(2, _varints(counts))) if counts else b""


def _varints(counts: Sequence[int]) -> bytes:
    """Most buckets of most points hold less than 128 events, each of them one byte."""
    return bytes(counts) if max(counts) < 0x80 else b"".join(map(varint, counts))


def _told(at: int, told: Told, verdict: str) -> bytes:
    if not told.encoded:
        told.encoded = _attributes(at, told)
    return told.encoded + _remembered(at, names.SLO_VERDICT, verdict)


def _attributes(at: int, attributes: Mapping[str, object] | None) -> bytes:
    return b"".join([_known(at, key, value) for key, value in (attributes or {}).items()])


def _known(at: int, key: str, value: object) -> bytes:
    """Attributes of points are texts from a bounded set, which is remembered."""
    return _remembered(at, key, value) if isinstance(value, str) else pair(at, key, value)


@lru_cache(maxsize=4096)
def _remembered(at: int, key: str, value: str) -> bytes:
    return pair(at, key, value)
