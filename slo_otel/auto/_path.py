"""Where the module is that Python runs at its start, for whoever puts it on `PYTHONPATH`."""

from __future__ import annotations

from pathlib import Path


def bootstrap_path() -> Path:
    """The directory of our `sitecustomize`."""
    return Path(__file__).parent / "bootstrap"
