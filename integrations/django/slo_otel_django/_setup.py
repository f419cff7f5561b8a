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
_NO_MAIN_THREAD: Final = (
    "SLO_OTEL_SIGTERM needs the application to be built in the main thread, and this is another one, as that of "
    "runserver is while it watches for changes: unset it here, or runserver --noreload"
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
        told = _for_django(str(mistake))
        if told is None:
            raise
        raise ConfigurationError(told) from mistake
    return _Slot.handle


def _for_django(said: str) -> str | None:
    """The words of a project for what is otherwise told to code that calls `configure`."""
    if said.startswith("no policy"):
        return NOT_SET_UP
    return _NO_MAIN_THREAD if said.startswith("SLO_OTEL_SIGTERM needs") else None


def status() -> StatusSet | None:
    """Every SLO of this process at its last tick; None before the middleware was built, or without a tick.

    Each worker of a server counts for itself: the answer says its scope. For a view of your own, behind whatever
    protects your pages: `JsonResponse(slo_otel_django.status().to_json())`.
    """
    if _Slot.handle is not None and _Slot.handle.running:
        return _Slot.handle.status()
    running = active()
    return None if running is None else running.statuses()
