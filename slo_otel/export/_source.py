"""Where exports go to: the endpoint of the environment, over HTTP or gRPC, or an exporter that the user gave."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter

from slo_otel.errors import ConfigurationError
from slo_otel.export import _environment as environment
from slo_otel.export import _settings as settings
from slo_otel.export._attempt import suppression
from slo_otel.export._given import GivenSender
from slo_otel.export._kinds import kinds
from slo_otel.export._preference import preferred
from slo_otel.export._sender import Sender

_HTTP: Final = ("slo_otel.export._http", "netrc")
_GRPC: Final = ("slo_otel.export._grpc", "grpc._channel", "grpc.experimental")
"""What sends, and what requests and grpc import with their first request."""


class Source:
    """Where senders come from: made by the environment, in the thread that uses them, or the user's exporter.

    One that we made is thrown away when it hangs. A given one cannot be replaced, so it is waited for.
    """

    def __init__(self, given: MetricExporter | None = None) -> None:
        """Imports what sends: at set-up, since the first export of a service under load would hold it up.

        And since a fork may cut off an import in another thread: its lock stays held in the child, where whoever
        needs the module waits for ever. So no thread of ours imports anything (tests/runtime/test_imports.py).

        Raises `ConfigurationError` where the environment asks for gRPC and it is not installed.
        """
        self.kinds = kinds() if given is None else preferred(given)
        """Which temporality and histograms it takes."""
        self._given = None if given is None else GivenSender(given)
        self._grpc = given is None and environment.protocol() == environment.GRPC
        if given is None:
            for module in _GRPC if self._grpc else _HTTP:
                _load(module)
            environment.own_version()
        if self._grpc and settings.provider():
            from slo_otel.export._grpc import provider

            provider(settings.provider())
        suppression()
        self.replaceable = given is None
        self.name = environment.shown(environment.endpoint()) if given is None else type(given).__name__
        self.patience = environment.patience()

    def make(self) -> Sender:
        """A sender to use; the given one every time."""
        if self._given is not None:
            return self._given
        if self._grpc:
            from slo_otel.export._grpc import GrpcSender

            return GrpcSender(settings.grpc())
        from slo_otel.export._http import HttpSender

        return HttpSender(settings.http())


def _load(module: str) -> None:
    try:
        import_module(module)
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"OTLP over gRPC needs a package that is not installed ({missing.name}): pip install 'slo-otel[grpc]', "
            f"or set {environment.choosing(environment.HTTP)}"
        ) from missing
