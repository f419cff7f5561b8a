"""autometrics: one decorator over two trackers, prometheus_client and the OpenTelemetry SDK.

`init` may be called once a process, so the second tracker is put in place by `set_tracker`, which `init` calls too.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar, cast

from opentelemetry.sdk.metrics.export import InMemoryMetricReader

Function = TypeVar("Function", bound="Callable[..., object]")
Use = Callable[[], None]


def initialised() -> tuple[Use, Use]:
    """What makes decorated functions report to prometheus_client, and what makes them report to OpenTelemetry."""
    import_module("autometrics").init(tracker="prometheus", service_name="bench")
    trackers = import_module("autometrics.tracker")
    with_prometheus = trackers.get_tracker()
    with_otel = import_module("autometrics.tracker.opentelemetry").OpenTelemetryTracker(InMemoryMetricReader())
    return lambda: trackers.set_tracker(with_prometheus), lambda: trackers.set_tracker(with_otel)


def decorated(function: Function) -> Function:
    """The function under `@autometrics`, as its README writes it."""
    return cast("Function", import_module("autometrics").autometrics(function))
