"""Our requests among what a reader of the service exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics
from opentelemetry.sdk.resources import OTELResourceDetector, Resource

_NAME: Final = "service.name"
_NAMESPACE: Final = "service.namespace"
_INSTANCE: Final = "service.instance.id"


class Identity:
    """Whose our points are: the reader's resource, with the policy's service where it names none, and with an
    instance id that no other process has.

    Two workers that share one would overwrite each other's series. The reader's resource has none with the SDK
    before 1.43, and one for all workers where OTEL_RESOURCE_ATTRIBUTES has it; ours is that of this process alone.
    """

    def __init__(self, ours: Resource) -> None:
        """`ours` is the resource of this process as the runtime knows it."""
        self.ours = ours
        self._written = OTELResourceDetector().detect().attributes.get(_INSTANCE)

    def of(self, there: Resource) -> Resource:
        """The resource of our points, where the service's own have this one."""
        missing = [name for name in (_NAME, _NAMESPACE, _INSTANCE) if name not in there.attributes]
        if str(there.attributes.get(_NAME, "")).startswith("unknown_service"):  # the SDK's, where nobody named it
            missing.append(_NAME)
        if there.attributes.get(_INSTANCE) == self._written:
            missing.append(_INSTANCE)
        added = {name: self.ours.attributes[name] for name in missing if name in self.ours.attributes}
        return there.merge(Resource(added)) if added.items() - there.attributes.items() else there

    def differs(self, there: Resource) -> str | None:
        """What the reader's resource says otherwise than the policy, as a sentence; None where they agree."""
        told = self.of(there).attributes
        for name, key in ((_NAME, "service"), (_NAMESPACE, "namespace")):
            promised = self.ours.attributes.get(name)
            if told.get(name) != promised:
                return f"{name}={told.get(name)}, and the policy says {key}: {promised}"
        return None


def joined(
    apps: MetricsData, ours: Sequence[MetricsData], identity: Identity
) -> Iterator[tuple[MetricsData, MetricsData]]:
    """Requests, each with the part of it that is ours; the service's own metrics are in the first."""
    first, *rest = ours
    there = apps.resource_metrics[0] if apps.resource_metrics else None
    yield _with(apps, _under(there, first, identity)), first
    for request in rest:
        yield MetricsData([_under(there, request, identity)]), request


def _under(there: ResourceMetrics | None, request: MetricsData, identity: Identity) -> ResourceMetrics:
    [of] = request.resource_metrics
    return of if there is None else replace(of, resource=identity.of(there.resource), schema_url=there.schema_url)


def _with(apps: MetricsData, ours: ResourceMetrics) -> MetricsData:
    """Within the resource that is there: of two equal ones the SDK's encoder would drop the first."""
    if not apps.resource_metrics or apps.resource_metrics[0].resource != ours.resource:
        return MetricsData([*(of for of in apps.resource_metrics if of.scope_metrics), ours])
    there, *others = apps.resource_metrics
    return MetricsData([replace(there, scope_metrics=[*there.scope_metrics, *ours.scope_metrics]), *others])
