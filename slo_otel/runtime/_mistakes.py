"""What `configure` would refuse, asked beforehand: for checks of a project, in processes that serve nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from slo_otel import variables
from slo_otel.errors import ConfigurationError, flag

if TYPE_CHECKING:
    from slo_otel.plan import Plan


def mistakes(plan: Plan, resource: Mapping[str, str] | None = None) -> Iterator[str]:
    """What the environment says that cannot work, each in the words of the `ConfigurationError` it would be.

    Reads variables and the files that they name, and imports what would send. No thread, no connection: resource
    detectors, which are other people's code and may ask their cloud, are left out. An `exporter` or another
    `resource` that code gives to `configure` is not known here.
    """
    yield from _refused(variables.check)
    if flag("SLO_OTEL_DISABLED"):
        return
    from slo_otel.export import interval_ns
    from slo_otel.runtime._maxima import maxima
    from slo_otel.runtime._tracing import tracing

    yield from _refused(lambda: _identity(plan, resource or {}))
    yield from _refused(interval_ns)
    yield from _refused(maxima)
    yield from _refused(lambda: tracing(sends=False))
    yield from _refused(_sending)


def _refused(look: Callable[[], object]) -> Iterator[str]:
    try:
        look()
    except ConfigurationError as mistake:
        yield str(mistake)
    except Exception as fault:  # noqa: BLE001 - a credential provider is other people's code; `configure` would raise it
        yield f"{type(fault).__name__}: {fault}"


def _identity(plan: Plan, resource: Mapping[str, str]) -> None:
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    from slo_otel.runtime._identity import identify

    identify(plan, OTELResourceDetector().detect().merge(Resource(dict(resource))))


def _sending() -> None:
    """As the runtime finds out where its own loop sends to."""
    from slo_otel.export import Source, riders, sdk_disabled, wanted

    if not sdk_disabled() and not riders() and wanted():
        Source()
