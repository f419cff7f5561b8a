"""Tests of `make upstream` itself; the frameworks' suites are run by that command, not here."""

import sys
from pathlib import Path

# At the end: a tool named like an installed package must not hide it.
sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "tools"))
