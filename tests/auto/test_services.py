"""Unmodified services under a launcher are counted as if they measured themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from slo_otel.receive import Receiver
from tests.auto.services import LAUNCHERS, counted, serving
from tests.auto.shops import EXPECTED, SHOPS


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("framework", SHOPS)
def test_the_counts_are_those_of_the_explicit_middleware(framework: str, launcher: str, tmp_path: Path) -> None:
    """Not a line changed: the same series with the same counts, and neither a warning nor a fault of ours."""
    with Receiver() as receiver:
        with serving(tmp_path, SHOPS[framework], launcher, receiver.endpoint) as served:
            assert served.get() == [200, 200, 200, 200, 200, 503, 200, 200, 500, 404]
            said = served.stop()
        assert counted(receiver) == EXPECTED
    assert "slo_otel:" not in said
    assert "Skipping FastAPI instrumentation" not in said  # nor in the way of the launcher's own
