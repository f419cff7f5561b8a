"""slo_otel: one policy file becomes exact SLIs, error budgets, burn rates and OTLP metrics.

    import slo_otel

    app = FastAPI()
    slo_otel.configure("slo.yaml").instrument(app)

Importing it loads neither the policy's libraries nor an exporter: `configure` does, when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from slo_otel.errors import ConfigurationError, PolicyError, SloOtelError
from slo_otel.instrumentation import (
    Budget,
    Event,
    SLOMiddleware,
    begin,
    budget,
    classify,
    close_event,
    count,
    current_event,
    finish,
    gauge,
    open_event,
    tag,
    track,
)
from slo_otel.plan import Kind, Outcome

if TYPE_CHECKING:
    from slo_otel.evaluation import Scope, State, StatusSet
    from slo_otel.export import RideAlongExporter
    from slo_otel.runtime import Handle, configure

    __version__: str

__all__ = [
    "Budget",
    "ConfigurationError",
    "Event",
    "Handle",
    "Kind",
    "Outcome",
    "PolicyError",
    "RideAlongExporter",
    "SLOMiddleware",
    "Scope",
    "SloOtelError",
    "State",
    "StatusSet",
    "__version__",
    "begin",
    "budget",
    "classify",
    "close_event",
    "configure",
    "count",
    "current_event",
    "finish",
    "gauge",
    "open_event",
    "tag",
    "track",
]


_LATER = {
    "Handle": "slo_otel.runtime",
    "RideAlongExporter": "slo_otel.export",
    "configure": "slo_otel.runtime",
    "Scope": "slo_otel.evaluation",
    "State": "slo_otel.evaluation",
    "StatusSet": "slo_otel.evaluation",
}


def __getattr__(name: str) -> object:
    """What is loaded when it is first asked for: the runtime with its exporter, the evaluation, the version."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("slo-otel")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
