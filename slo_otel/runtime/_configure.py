"""`configure`: from a policy file to a running process, or an error that says what to write instead.

Mistakes raise here and only here. There is one runtime a process, in the slot below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from slo_otel import threads, variables
from slo_otel.errors import ConfigurationError, flag
from slo_otel.runtime._handle import Handle

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource

    from slo_otel.clock import Clock
    from slo_otel.ledger import Ledger
    from slo_otel.plan import Plan


class _Slot:
    """The handle of this process, and the lock of those who configure at the same time."""

    def __init__(self) -> None:
        self.lock = threads.Lock()
        self.handle: Handle | None = None


_slot = _Slot()


def configure(
    policy: str | PathLike[str] | None = None,
    *,
    resource: Resource | Mapping[str, str] | None = None,
    ledger: Ledger | None = None,
    exporter: MetricExporter | None = None,
    clock: Clock | None = None,
) -> Handle:
    """Start measuring what the policy promises. Returns the handle of the process.

    `policy` is a path; without one `SLO_OTEL_POLICY` names it. The same policy again returns the same handle,
    another one raises; after `Handle.shutdown` one may configure again. With `SLO_OTEL_DISABLED` nothing is read
    and the handle does nothing.

    `resource` (an OpenTelemetry `Resource`, or attributes) joins what OTEL_SERVICE_NAME and
    OTEL_RESOURCE_ATTRIBUTES say; a service name there must be the policy's. `exporter` replaces the OTLP exporter
    that the OTEL_* environment makes; without an endpoint there, metrics go to http://localhost:4318, the
    specification's default, and OTEL_METRICS_EXPORTER=none sends nothing. `clock` is for tests: no thread is
    started, nothing is sent without `exporter`, and whoever owns the clock drives the ticks.

    Raises `PolicyError` with every mistake of the file, and `ConfigurationError` for everything else. A variable
    `SLO_OTEL_*` that this version does not know is a warning in the log, the first time.
    """
    variables.check()
    if flag("SLO_OTEL_DISABLED"):
        return Handle(None)
    if _slot.handle is None or not _slot.handle.running:
        variables.warn()
    path = _path(policy or os.environ.get("SLO_OTEL_POLICY"))
    return start(_plan(path), path, resource=resource, ledger=ledger, exporter=exporter, clock=clock)


def check(policy: str | PathLike[str]) -> None:
    """What `configure` does before it starts anything: load what it needs, read environment and policy.

    Raises as it does, except for what only a process that serves can know: its resource, and where it sends.
    """
    from slo_otel.runtime._assembly import check_environment

    variables.check()
    check_environment()
    _plan(_path(policy))


def start(
    plan: Plan,
    file: str | None = None,
    *,
    resource: Resource | Mapping[str, str] | None = None,
    ledger: Ledger | None = None,
    exporter: MetricExporter | None = None,
    clock: Clock | None = None,
) -> Handle:
    """`configure` for a plan that is compiled already, from `file`."""
    from slo_otel.runtime._assembly import Given, Runtime

    with _slot.lock:
        running = _slot.handle
        if running is None or not running.running:
            _slot.handle = Handle(Runtime(plan, Given(resource, ledger, exporter, clock)), file)
            return _slot.handle
    if running.plan == plan:
        return running
    raise ConfigurationError(
        "another policy is configured in this process; use the same one, or call shutdown() on its handle first"
    )


def current() -> Handle | None:
    """The handle of this process, None before `configure`."""
    return _slot.handle


def renew_lock() -> None:
    """In the child of a fork: the lock may have been held by a thread that is not there any more."""
    _slot.lock = threads.Lock()


def _plan(path: str) -> Plan:
    from slo_otel import policy as language

    try:
        return language.compile(language.load(path))
    except OSError as fault:
        place = "" if Path(path).is_absolute() else f" (from {Path.cwd()})"
        raise ConfigurationError(f"cannot read the policy {path!r}{place}: {fault.strerror}") from fault


def _path(given: object) -> str:
    """The path of the policy, from callers whose types nobody may have checked."""
    if not given:
        raise ConfigurationError("no policy: give configure() the path of the file, or set SLO_OTEL_POLICY")
    path = os.fspath(given) if isinstance(given, str | PathLike) else None
    if not isinstance(path, str):
        raise ConfigurationError(f"configure() takes the path of the policy file, not a {type(given).__name__}")
    if "\n" in path or "\0" in path:
        raise ConfigurationError("configure() takes the path of the policy file, not its text")
    return path
