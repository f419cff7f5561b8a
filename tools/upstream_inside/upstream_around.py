"""pytest plugin: every application that a test drives is measured by slo_otel, as a service of its own would be.

`runs.py` loads it, into the workers of xdist too.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import pytest
from upstream_runtime import Measured

PROPERTY: Final = "slo_otel"
"""The user property of a test's reports: requests sent, those that reached our middleware, events recorded."""


class Around:
    """What was seen in each test, and in all of this process."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._measured = Measured()
        self._measured.install()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remember where the counts stood."""
        self._before = self._measured.counts()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Say with the test's last report what it sent and what was recorded."""
        try:
            return (yield)
        finally:
            item.user_properties.append((PROPERTY, self._measured.since(self._before)))

    def pytest_sessionfinish(self) -> None:
        """Hand over the totals of this process."""
        totals, output = self._measured.ended(), getattr(self._config, "workeroutput", None)
        if output is not None:
            output[PROPERTY] = totals
        else:
            setattr(self._config, PROPERTY, totals)


def pytest_configure(config: pytest.Config) -> None:
    """Only where tests run: the controller of xdist runs none."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Around(config), "slo_otel.upstream")
