"""Tests of what `make load` reckons with; the load itself is run by that command, not here."""

import sys
from pathlib import Path

# At the end: a tool named like an installed package must not hide it.
sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "tools"))
