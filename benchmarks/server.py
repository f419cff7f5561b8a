"""FastAPI on uvicorn, uvloop and httptools, in one variant: `python -m benchmarks.server VARIANT PORT CORE`.

As a service would be set up: ours by `configure(...).instrument(app)` with ticks and an export every five seconds
to an exporter that forgets, the peers with readers of the same interval. CORE -1 does not pin.
"""

from __future__ import annotations

import logging
import os
import sys

import uvicorn
from fastapi import FastAPI

import slo_otel
from benchmarks.apps import Providers, variants
from benchmarks.lifetime import end_with_parent
from benchmarks.ours import POLICY
from benchmarks.peers.otel_sdk import EXPORT_INTERVAL_MS, NullMetrics, periodic, traces
from slo_otel.instrumentation import ASGIApp


def with_ours(app: FastAPI) -> ASGIApp:
    """The two lines of the README."""
    os.environ["OTEL_METRIC_EXPORT_INTERVAL"] = str(EXPORT_INTERVAL_MS)
    return slo_otel.configure(POLICY, exporter=NullMetrics()).instrument(app)


def main(variant: str, port: int, core: int) -> None:
    """Serve until ended."""
    end_with_parent()
    if core >= 0:
        os.sched_setaffinity(0, {core})
    logging.getLogger("slo_otel").setLevel(logging.ERROR)  # the policy's alerts are not evaluated, it says
    app = variants(with_ours, Providers(periodic, traces))[variant]()
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
