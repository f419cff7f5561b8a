"""Tracing for one test: the process-wide provider is put back afterwards, so that other tests run without one."""

from __future__ import annotations

import pytest

from tests.spans.traced import Traced


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Traced:
    """An SDK tracer provider that is the process's one until the test ends."""
    found = Traced()
    found.installed(monkeypatch)
    return found
