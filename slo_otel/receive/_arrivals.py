"""What has arrived, over whichever transport: counted, kept, and what its sender is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from slo_otel.receive._decode import decode
from slo_otel.receive._points import Attributes, Point, added

__all__ = ["LIMIT", "Answer", "Arrivals"]

LIMIT: Final = 64 * 1024 * 1024
"""Bytes of one export, packed and unpacked: what the SDK's exporter sends at most."""
_LOOK_SECONDS: Final = 0.05
"""How often an export that hangs looks whether it may go on."""


class Answer(StrEnum):
    """How the receiver answers an export."""

    ACCEPT = "accept"
    DROP = "drop"
    """Says 200 and forgets it: a collector that loses data. Over gRPC `OK`."""
    UNAVAILABLE = "unavailable"
    """503, which an exporter retries. Over gRPC `UNAVAILABLE`."""
    REFUSE = "refuse"
    """400, which an exporter does not retry. Over gRPC `INVALID_ARGUMENT`."""
    HANG = "hang"
    """Never answers, until the receiver is closed or told otherwise."""


class Arrivals:
    """The exports that arrived and the newest point of every series, for any number of threads.

    `drop` is the number of the export (from 1) that is accepted and forgotten.
    """

    def __init__(self, drop: int | None) -> None:
        self.answer = Answer.ACCEPT
        self._drop = drop
        self._arrived = threading.Condition(threading.Lock())
        self._closing = threading.Event()
        self._requests = 0
        self._points: dict[tuple[str, str, Attributes], Point] = {}

    @property
    def requests(self) -> int:
        """How many exports arrived, whatever they were answered with."""
        with self._arrived:
            return self._requests

    def points(self) -> tuple[Point, ...]:
        """The newest point of every series, sorted by name, attributes and process."""
        with self._arrived:
            found = tuple(self._points.values())
        return tuple(sorted(found, key=lambda point: (point.name, point.attributes, point.instance)))

    def wait(self, requests: int, timeout: float) -> bool:
        """Block until so many exports arrived, or `timeout` seconds passed."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self._requests >= requests, timeout)

    def close(self) -> None:
        """Let those go who hang."""
        self._closing.set()

    def take(self, body: bytes, waits: Callable[[], bool]) -> Answer:
        """Count an export, keep its points where it is accepted, and say what to answer: anything but `HANG`.

        `waits` says whether the sender is still there. Raises `ValueError` for what is no export.
        """
        points = decode(body)
        with self._arrived:
            self._requests += 1
            answer = Answer.DROP if self._requests == self._drop else self.answer
            if answer is Answer.ACCEPT:
                self._keep(points)
            self._arrived.notify_all()
        if answer is not Answer.HANG:
            return answer
        while self.answer is Answer.HANG and waits() and not self._closing.wait(_LOOK_SECONDS):
            pass
        return Answer.UNAVAILABLE

    def _keep(self, points: tuple[Point, ...]) -> None:
        for point in points:
            series = (point.instance, point.name, point.attributes)
            before = self._points.get(series)
            if point.delta and before is not None:
                self._points[series] = added(before, point)
            elif before is None or before.time_ns <= point.time_ns:
                self._points[series] = point
