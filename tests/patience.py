"""What keeps tests from failing on a machine that is busy or slow: second tries, and ports that nobody takes."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

TRIES: Final = 10


def in_time(action: Callable[[], object], seconds: float) -> bool:
    """Whether one of a few tries ends within so many seconds: others' work delays some, a fault of ours all."""
    return any(_took(action) < seconds for _ in range(TRIES))


def _took(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


@contextmanager
def reserved() -> Iterator[int]:
    """A port on which nobody listens and that nobody else gets: bound, so that only those who reuse it can."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
