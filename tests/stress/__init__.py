"""Tests that have a long form: `make test` runs them briefly, `make soak` with more events and more seeds.

Such a test is marked `@pytest.mark.soak`, runs in both, and takes its counts from `scaled`. It asserts the same in
both forms. Where its seeds are drawn anew, it prints them.
"""

from __future__ import annotations

import os
from typing import Final

LONG: Final = os.environ.get("SOAK") == "1"
"""Whether this is the long form. Read once, when pytest imports the test."""


def scaled(brief: int, long: int) -> int:
    """`brief` in `make test`, `long` in `make soak`."""
    return long if LONG else brief
