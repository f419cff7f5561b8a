"""`slo-otel receive`: what a Collector would get, printed as it arrives."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Final

from slo_otel.errors import ConfigurationError
from slo_otel.receive import Point, Receiver

_ENDS: Final = (signal.SIGINT, signal.SIGTERM)
_LOOK_SECONDS: Final = 0.1
"""How often a quiet receiver looks whether it was told to end."""


def receive_until_told(host: str, port: int, grpc_port: int) -> int:
    """Listen and print each series that changed, until Ctrl-C or SIGTERM; 2 when a port cannot be had."""
    with told_to_end() as told:
        try:
            receiver, where = _listening(host, port, grpc_port)
        except OSError as fault:
            print(f"cannot listen on {fault.filename}: {fault.strerror}", file=sys.stderr)
            return 2
        with receiver:
            print(where, flush=True)
            print_arrivals(receiver, told)
            print(f"\nreceived {receiver.requests} exports, {len(receiver.points())} series", flush=True)
    return 0


@contextmanager
def told_to_end() -> Iterator[list[int]]:
    """A list that the first Ctrl-C or SIGTERM fills; the second one ends the process, whatever it waits for.

    Nothing is raised between two lines of ours: a lock that was just taken would be kept. A signal that is ignored,
    as Ctrl-C is by what a script starts in the background, stays so.
    """
    told: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        told.append(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)

    before = {each: found for each in _ENDS if (found := signal.getsignal(each)) is not signal.SIG_IGN}
    for each in before:
        signal.signal(each, end)
    try:
        yield told
    finally:
        for each, found in before.items():
            signal.signal(each, found)


def _listening(host: str, port: int, grpc_port: int) -> tuple[Receiver, str]:
    """A receiver for both protocols, or for HTTP alone where grpcio is not installed, and what to say of it."""
    try:
        receiver = Receiver(port, host=host, grpc_port=grpc_port)
    except ConfigurationError as missing:
        receiver, other = Receiver(port, host=host), str(missing)
    else:
        other = f"listening on {receiver.grpc_endpoint} for OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
    http = f"listening on {receiver.endpoint} for OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
    return (
        receiver,
        f"{http}\n{other}\nset OTEL_EXPORTER_OTLP_ENDPOINT to the address of your protocol; Ctrl-C ends",
    )


def print_arrivals(receiver: Receiver, told: list[int]) -> None:
    """Print until told to end, and then what had arrived by that time."""
    known: tuple[Point, ...] = ()
    seen, last = 0, False
    while not last:
        last = bool(told)
        if receiver.wait(seen + 1, 0.0 if last else _LOOK_SECONDS):
            seen, now = receiver.requests, receiver.points()
            _print_changes(seen, known, now)
            known = now


def _print_changes(export: int, known: tuple[Point, ...], now: tuple[Point, ...]) -> None:
    before = {(point.instance, point.name, point.attributes): point.value for point in known}
    changed = [point for point in now if before.get((point.instance, point.name, point.attributes)) != point.value]
    print(f"{datetime.now(UTC):%H:%M:%S} export {export}: {len(now)} series, {len(changed)} changed")
    for point in changed:
        print(f"  {_series(point)}")
    sys.stdout.flush()


def _series(point: Point) -> str:
    attributes = ", ".join(f"{key}={value}" for key, value in point.attributes)
    value = f"{point.value:.6g}" if isinstance(point.value, float) else point.value
    return f"{point.name} {{{attributes}}} {value}"
