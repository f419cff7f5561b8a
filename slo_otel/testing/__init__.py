"""For users' tests: a clock moved by hand, an in-memory sink, and assertions on what service levels counted.

A pytest plugin: `def test_checkout(slo): ...; slo.assert_slo("checkout-success", good=3, bad=1, excluded=0)`.
Loading it costs next to nothing; what it needs is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from slo_otel.testing._clock import ManualClock
    from slo_otel.testing._drive import advance
    from slo_otel.testing._sink import InMemoryExporter
    from slo_otel.testing._watch import Seen, Watch, assert_slo, watch

__all__ = ["InMemoryExporter", "ManualClock", "Seen", "Watch", "advance", "assert_slo", "slo", "watch"]

_HOMES: Final = {
    "InMemoryExporter": "_sink",
    "ManualClock": "_clock",
    "Seen": "_watch",
    "Watch": "_watch",
    "advance": "_drive",
    "assert_slo": "_watch",
    "watch": "_watch",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


@pytest.fixture
def slo() -> Iterator[Watch]:
    """Counts the events of every service level from here to the end of the test."""
    from slo_otel.testing._watch import watch

    with watch() as running:
        yield running
