"""Measuring without a line of code: FastAPI, Starlette, Django and Flask, from the policy alone.

`opentelemetry-instrument` loads `Instrumentor` as an entry point, `slo-otel run` starts Python with `bootstrap` on
its path; both end in `begin`. It watches for imports of the frameworks and does nothing else: a process is
configured when an application in it is about to serve, so that a server's parent, a reloader or a one-off
command is not.
"""

from slo_otel.auto._begin import begin, end
from slo_otel.auto._instrumentor import Instrumentor
from slo_otel.auto._path import bootstrap_path

__all__ = ["Instrumentor", "begin", "bootstrap_path", "end"]
