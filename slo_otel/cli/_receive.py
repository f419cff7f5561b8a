"""`slo-otel receive`: what a Collector would get, printed as it arrives."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from slo_otel.receive import Point, Receiver


def receive_until_interrupted(host: str, port: int) -> int:
    """Listen and print each series that changed, until Ctrl-C; 2 when the port cannot be had."""
    try:
        receiver = Receiver(port, host=host)
    except OSError as fault:
        print(f"cannot listen on {host}:{port}: {fault.strerror}", file=sys.stderr)
        return 2
    with receiver:
        try:
            _print_arrivals(receiver)
        except KeyboardInterrupt:
            print(f"\nreceived {receiver.requests} exports, {len(receiver.points())} series", flush=True)
    return 0


def _print_arrivals(receiver: Receiver) -> None:
    print(f"listening on {receiver.endpoint}; set OTEL_EXPORTER_OTLP_ENDPOINT to it; Ctrl-C ends", flush=True)
    known: tuple[Point, ...] = ()
    seen = 0
    while True:
        if receiver.wait(seen + 1, timeout=0.5):
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
