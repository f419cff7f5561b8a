"""Who this process is: its resource, its own `service.instance.id`, and whether it has siblings."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid4, uuid5

from opentelemetry.sdk.resources import Resource

from slo_otel.errors import ConfigurationError
from slo_otel.plan import Plan
from slo_otel.runtime import _servers
from slo_otel.runtime._detected import detected

INSTANCE: Final = "service.instance.id"
_NAME: Final = "service.name"
_NAMESPACE: Final = "service.namespace"
_STABLE: Final = UUID("4d63009a-8d0f-11ee-aad7-4c796ed8e320")
"""The namespace of the semantic conventions for instance ids that are derived (resource/service.md)."""


def identify(plan: Plan, given: Resource | Mapping[str, str] | None) -> Resource:
    """The resource of this process. Raises `ConfigurationError` where it names another service than the policy."""
    found = given if isinstance(given, Resource) else detected(given or {})
    told = found.attributes
    _agree(_NAME, "service", plan.service, None if _made_up(told.get(_NAME)) else told.get(_NAME))
    _agree(_NAMESPACE, "namespace", plan.namespace, told.get(_NAMESPACE))
    added = {_NAME: plan.service, INSTANCE: _instance(told.get(INSTANCE), configured=_configured(given))}
    if plan.namespace is not None:
        added[_NAMESPACE] = plan.namespace
    return found.merge(Resource(added))


def _agree(attribute: str, key: str, promised: str | None, told: object) -> None:
    if told is not None and told != promised:
        raise ConfigurationError(
            f"the resource says {attribute}={told} and the policy {key}: {promised}; make them the same "
            f"(OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, or {key}: {told} in the policy)"
        )


def _made_up(name: object) -> bool:
    return name is None or str(name).startswith("unknown_service")


def _instance(told: object, *, configured: bool) -> str:
    """An id of this process alone: workers that share a configured id would overwrite each other's series."""
    if told is None:
        return str(uuid4())
    return _derived(str(told)) if configured and siblings() else str(told)


def _configured(given: Resource | Mapping[str, str] | None) -> bool:
    """Whether the instance id was written down, and not made by the SDK for this process."""
    written = not isinstance(given, Resource) and INSTANCE in (given or {})
    return written or INSTANCE in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")


def forked(resource: Resource) -> Resource:
    """The resource of a child of this process: the same service, another instance."""
    return resource.merge(Resource({INSTANCE: _derived(str(resource.attributes.get(INSTANCE)))}))


def _derived(instance: str) -> str:
    return str(uuid5(_STABLE, f"{instance}:{os.getpid()}:{time.time_ns()}"))


def texts(resource: Resource) -> dict[str, str]:
    """The resource's attributes as text."""
    return {name: str(value) for name, value in resource.attributes.items()}


def siblings() -> str | None:
    """What says that other processes serve the same traffic; None when nothing does."""
    workers = os.environ.get("WEB_CONCURRENCY", "").strip()
    if workers.isdecimal() and workers.lstrip("0") not in ("", "1"):
        return f"WEB_CONCURRENCY={workers}"
    if multiprocessing.parent_process() is not None:
        return "it was started by another process, as workers are"
    return _servers.named()
