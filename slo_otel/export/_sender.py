"""What carries requests to a Collector: ours over HTTP or gRPC, or an exporter that the user gave."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from opentelemetry.sdk.metrics.export import MetricsData


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request did not arrive."""

    kind: str
    """A stable word, the `error.type` of the export: a status, an exception's class, `timeout`."""
    reason: str
    """What a person needs to know."""
    passing: bool = False
    """Whether the same request may succeed later."""
    after: float | None = None
    """Seconds after which the Collector wants to see it again; None where it did not say."""
    arrived: bool = False
    """Whether the request arrived all the same: what it carried must not be sent again."""
    large: bool = False
    """Whether the same points may arrive in smaller requests."""


SLOW: Final = Failure("timeout", "no answer in time", passing=True)
MOST_BYTES: Final = 1_000_000
"""Bytes of one request, unpacked: nginx takes a megabyte, a gRPC server four (the defaults of both)."""
TOO_LARGE: Final = Failure("too_large", "more than a megabyte", large=True)


class Sender(Protocol):
    """Sends one request at a time; `stop` comes from another thread."""

    def send(self, data: MetricsData, deadline: float, *, patient: bool) -> Failure | None:
        """Send until `deadline`, a value of `time.monotonic()`; None when it arrived.

        `patient` may try again what failed in passing; without it the first failure is the answer.
        """

    def stop(self) -> None:
        """End what `send` does, as far as that is possible, and send nothing more. The sender is thrown away."""

    def close(self) -> None:
        """Let connections go; nothing is under way."""


_SAID: Final = (
    re.compile(r"\[SSL(?:: \w+)?\] ([^'(]+)"),
    re.compile(r"\[Errno -?\d+\] ([^'\")]+)"),
    re.compile(r"Error\(-?\d+, '([^']+)'\)"),
    re.compile(r"SSL routines:OPENSSL_internal:(.+?)(?:: OK)?$"),
    re.compile(r"Failed to connect to remote host: (?:connect: )?([^;(]+)"),
    re.compile(r"RemoteDisconnected\('([^']+)'\)"),
    re.compile(r"^Transient error (.+?) encountered while exporting ", re.DOTALL),
)
"""The system's own words within what a library says, and the reason in the SDK's line about a retry."""


def plain(message: str) -> str:
    """What a person needs of a library's message: what happened, without where in the library."""
    found = next((match for pattern in _SAID if (match := pattern.search(message))), None)
    return found[1].strip() if found else message
