"""Django's own test runner, told to write down what became of each test: `TEST_RUNNER` of upstream_settings.py."""

from __future__ import annotations

import os
import unittest
from typing import Any

from django.test.runner import DiscoverRunner
from upstream_results import Results


class Runner(DiscoverRunner):
    """In the run that has our middleware, it is there before the first test module is imported."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "UPSTREAM_DOOR" in os.environ:
            from upstream_runtime import Measured  # the bare run must not know of slo_otel

            Results.measured = Measured()
            Results.measured.install()

    def get_resultclass(self) -> type[unittest.TextTestResult]:
        """Ours instead of unittest's."""
        return Results
