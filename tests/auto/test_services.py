"""Unmodified services under a launcher are counted as if they measured themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from slo_otel.receive import Receiver
from tests.auto.services import LAUNCHERS, counted, serving
from tests.auto.shops import SHOPS


def _series(slo: str, verdict: str, route: str | None = None) -> tuple[tuple[str, str], ...]:
    of_route = () if route is None else (("http.route", route),)
    return (*of_route, ("slo.name", slo), ("slo.verdict", verdict))


EXPECTED = {
    _series("answered", "good", "/orders/{number}"): 7,
    _series("answered", "bad", "/orders/{number}"): 1,
    _series("answered", "bad", "/broken"): 1,
    _series("answered", "bad", "unmatched"): 1,
    _series("orders", "good"): 7,
    _series("orders", "bad"): 1,
}
"""Of `REQUESTS`, in every framework and however it is measured."""


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
