"""From the project's settings to the running runtime of this process."""

from __future__ import annotations

from typing import Final

from slo_otel import ConfigurationError, Handle, StatusSet, configure
from slo_otel.instrumentation import active
from slo_otel_django._settings import Settings

NOT_SET_UP: Final = (
    'no policy: write SLO_OTEL = {"policy": "slo.yaml"} into the settings (the path is relative to BASE_DIR), '
    "or set SLO_OTEL_POLICY; SLO_OTEL_DISABLED=1 runs the project without service levels"
)


class _Slot:
    """The handle that the middleware of this process got."""

    handle: Handle | None = None


def set_up(settings: Settings) -> Handle | None:
    """Configure this process as the settings say; None where code of the project has done so by itself.

    The middleware asks when a server builds the application: commands such as `migrate` never do.
    Raises `ConfigurationError` and `PolicyError`.
    """
    if settings.policy is None and active() is not None:
        return None
    try:
        _Slot.handle = configure(settings.policy, resource=settings.resource)
    except ConfigurationError as mistake:
        if str(mistake).startswith("no policy"):
            raise ConfigurationError(NOT_SET_UP) from mistake
        raise
    return _Slot.handle


def status() -> StatusSet | None:
    """Every SLO of this process at its last tick; None before the middleware was built, or without a tick.

    Each worker of a server counts for itself: the answer says its scope. For a view of your own, behind whatever
    protects your pages: `JsonResponse(slo_otel_django.status().to_json())`.
    """
    if _Slot.handle is not None and _Slot.handle.running:
        return _Slot.handle.status()
    running = active()
    return None if running is None else running.statuses()
