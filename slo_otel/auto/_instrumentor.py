"""What OpenTelemetry's launcher and configuration files load from the group `opentelemetry_instrumentor`."""

from __future__ import annotations

from slo_otel.auto._begin import begin, end


class Instrumentor:
    """An instrumentor as OpenTelemetry's launcher wants it: `instrument` and `uninstrument`, nothing of contrib.

    Without a policy it costs nothing: it is loaded in every process that runs under the launcher.
    """

    def instrument(self, *, policy: str | None = None, **_: object) -> None:
        """`begin`; `policy` may come from a configuration file, anything else is for other instrumentors."""
        begin(policy)

    def uninstrument(self, **_: object) -> None:
        """`end`."""
        end()
