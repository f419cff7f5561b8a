"""The settings of Django's own tests on SQLite, with a runner that says what became of each."""

from __future__ import annotations

import importlib

_THEIRS = vars(importlib.import_module("test_sqlite"))
globals().update({name: value for name, value in _THEIRS.items() if name.isupper()})
TEST_RUNNER = "upstream_runner.Runner"
