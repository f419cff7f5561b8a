"""Run by every Python that `slo-otel run` starts, and by its children: measure what serves here.

It is in the place of a `sitecustomize` that may be further down the path, which runs first. This Python may be
another one than ours, without our packages: then nothing happens, and the process itself that was to run is told.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module


def _begin() -> None:
    if not os.environ.get("SLO_OTEL_POLICY"):
        return
    try:
        from slo_otel.auto import begin
    except ImportError as fault:
        if os.environ.get("_SLO_OTEL_RUN") == str(os.getpid()):
            sys.stderr.write(f"slo_otel: nothing is measured: {sys.executable} cannot import it: {fault}\n")
        return
    begin()


def _next() -> None:
    """Import the `sitecustomize` that would have been found without us, if there is one."""
    ours = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would be loaded everywhere
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != ours]  # noqa: PTH100 - no pathlib
    own = sys.modules.pop("sitecustomize", None)
    try:
        import_module("sitecustomize")
    except ImportError as fault:
        if fault.name != "sitecustomize":
            raise
        if own is not None:
            sys.modules["sitecustomize"] = own


if __name__ == "sitecustomize":
    try:
        _next()
    finally:
        _begin()
