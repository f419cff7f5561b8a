"""What the runtime asks of whatever sends: our own loop, or a reader that the service has already."""

from __future__ import annotations

from typing import Protocol

from slo_otel.export._data import Outgoing
from slo_otel.export._own import ExportTimes


class Outlet(Protocol):
    """Where a process' numbers leave it. Thread-safe; a fork makes a new one."""

    @property
    def cpu_ns(self) -> int:
        """CPU time that exports took on threads of ours, nanoseconds."""

    def offer(self, outgoing: Outgoing) -> None:
        """Make this what the next export sends, unless something newer was offered."""

    def poll(self, mono_ns: int) -> None:
        """Do what is due. Returns at once."""

    def wait_ns(self, mono_ns: int) -> int:
        """Nanoseconds until `poll` has something to do."""

    def flush(self, outgoing: Outgoing, timeout: float) -> bool:
        """Send what is newest, `outgoing` at least. False when it did not arrive within `timeout` seconds."""

    def shutdown(self, outgoing: Outgoing, timeout: float) -> bool:
        """Flush, and send nothing more."""

    def times(self) -> ExportTimes:
        """How long the exports so far took."""

    def failing(self) -> bool:
        """Whether the newest export failed."""

    def unsent(self) -> int:
        """Events of what is newest that did not arrive."""

    def arrived_ns(self) -> int:
        """The time of the last snapshot that arrived in full; 0 before there was one."""
