"""The protobuf encoding that OTLP is made of: tags, varints, fields, attributes (protobuf.dev, encoding)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from struct import Struct
from typing import Final

_LEN: Final = 2
"""The wire type of everything that is preceded by its length."""
_VARINT: Final = 0
_DOUBLE: Final = Struct("<Bd")


def pair(number: int, key: str, value: object) -> bytes:
    """A `KeyValue`."""
    return field(number, text(1, key) + field(2, any_value(value)))


def any_value(value: object) -> bytes:
    """An `AnyValue`; the resource may have all of them."""
    match value:
        case bool():
            return _tag(2, _VARINT) + varint(value)
        case str():
            return field(1, value.encode())
        case int():
            return _tag(3, _VARINT) + varint(value % 2**64)
        case float():
            return _DOUBLE.pack(0x21, value)
        case bytes():
            return field(7, value)
        case Mapping():
            return field(6, b"".join(pair(1, str(key), each) for key, each in value.items()))
        case Iterable():
            return field(5, b"".join(field(1, any_value(each)) for each in value))
        case None:
            return b""
        case _:
            raise TypeError(f"no OTLP attribute is a {type(value).__name__}")


def small(number: int, value: int) -> bytes:
    """A number from zero on, an enumeration, a truth value."""
    return _tag(number, _VARINT) + varint(int(value))


def text(number: int, value: str | None) -> bytes:
    """A string, nothing where it is empty."""
    return field(number, value.encode()) if value else b""


def field(number: int, body: bytes) -> bytes:
    """A message, a string or packed numbers."""
    return header(number, len(body)) + body


def header(number: int, size: int) -> bytes:
    """What precedes a field of so many bytes."""
    return _tag(number, _LEN) + varint(size)


def zigzag(number: int) -> int:
    """Signed numbers as unsigned ones, small ones small."""
    return number * 2 if number >= 0 else -number * 2 - 1


@lru_cache(maxsize=64)
def _tag(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)


@lru_cache(maxsize=4096)
def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that another byte follows."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))
