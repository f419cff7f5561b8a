"""Whose our points are in the request of a reader, and that nothing of either side is lost."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from slo_otel.export._joined import Identity, joined

INSTANCE = "service.instance.id"
SHOP = {"service.name": "shop"}
OURS = Resource({**SHOP, INSTANCE: "ours"})


def scope(name: str) -> ScopeMetrics:
    """One counter in a scope."""
    point = NumberDataPoint({}, 1, 2, 3)
    metric = Metric(f"{name}.count", "", "1", Sum((point,), AggregationTemporality.CUMULATIVE, is_monotonic=True))
    return ScopeMetrics(InstrumentationScope(name, "1"), [metric], "")


def data(resource: Resource, *names: str) -> MetricsData:
    """What is exported of a resource."""
    return MetricsData([ResourceMetrics(resource, [scope(name) for name in names], "")])


def encoded(whole: MetricsData) -> list[tuple[str, list[str]]]:
    """Instances and scopes, as the SDK's encoder sends them."""
    return [
        (
            {pair.key: pair.value.string_value for pair in of.resource.attributes}.get(INSTANCE, ""),
            [each.scope.name for each in of.scope_metrics],
        )
        for of in encode_metrics(whole).resource_metrics
    ]


def sent(there: MetricsData, *ours: MetricsData) -> list[list[tuple[str, list[str]]]]:
    """Every request, encoded."""
    return [encoded(whole) for whole, _ in joined(there, ours, Identity(OURS))]


def test_ours_are_of_the_readers_resource() -> None:
    """One resource in each request: two equal ones would lose the first in the encoder."""
    there = data(Resource({**SHOP, INSTANCE: "reader"}), "shop.orders")
    found = sent(there, data(OURS, "slo_otel"), data(OURS, "slo_otel"))
    assert found == [[("reader", ["shop.orders", "slo_otel"])], [("reader", ["slo_otel"])]]


def test_a_reader_without_an_instance_id_gets_ours_beside_it() -> None:
    """The SDK before 1.43 makes none, and two workers would send one series."""
    there = data(Resource({"service.name": "shop"}), "shop.orders")
    found = sent(there, data(OURS, "slo_otel"), data(OURS, "slo_otel"))
    assert found == [[("", ["shop.orders"]), ("ours", ["slo_otel"])], [("ours", ["slo_otel"])]]


def test_an_instance_id_that_all_workers_have_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written in the environment, it is every worker's; the runtime made one of this process from it."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"{INSTANCE}=pod-1")
    assert sent(data(Resource({**SHOP, INSTANCE: "pod-1"}), "shop.orders"), data(OURS, "slo_otel")) == [
        [("pod-1", ["shop.orders"]), ("ours", ["slo_otel"])]
    ]
    alone = Identity(Resource({**SHOP, INSTANCE: "pod-1"}))
    assert alone.of(Resource({**SHOP, INSTANCE: "pod-1"})) == Resource({**SHOP, INSTANCE: "pod-1"})


@pytest.mark.parametrize("told", [{}, {"service.name": "unknown_service:python"}], ids=["missing", "made up"])
def test_a_service_that_nobody_named_is_the_policys(told: dict[str, str]) -> None:
    """Rules select it; what the reader says of itself beside it stays."""
    there = Resource({**told, INSTANCE: "reader", "team": "checkout"})
    of = Resource({**SHOP, "service.namespace": "acme", INSTANCE: "ours"})
    found = Identity(of).of(there)
    assert dict(found.attributes) == {**SHOP, "service.namespace": "acme", INSTANCE: "reader", "team": "checkout"}
    assert Identity(of).differs(there) is None


def test_another_service_or_namespace_is_a_difference() -> None:
    """Somebody wrote both down."""
    ours = Identity(Resource({**SHOP, "service.namespace": "acme", INSTANCE: "ours"}))
    assert ours.differs(Resource({"service.name": "store"})) == (
        "service.name=store, and the policy says service: shop"
    )
    assert ours.differs(Resource({**SHOP, "service.namespace": "other"})) == (
        "service.namespace=other, and the policy says namespace: acme"
    )


def test_without_anything_of_the_service_ours_stand_alone() -> None:
    """No resource, or one with nothing in it, is no reason for an empty part of a request."""
    assert sent(MetricsData([]), data(OURS, "slo_otel")) == [[("ours", ["slo_otel"])]]
    assert sent(data(Resource({})), data(OURS, "slo_otel")) == [[("ours", ["slo_otel"])]]
    assert sent(data(Resource({**SHOP, INSTANCE: "reader"})), data(OURS, "slo_otel")) == [
        [("reader", ["slo_otel"])]
    ]


def test_other_resources_stay_as_they_are() -> None:
    """A reader has one; whoever hands over more gets them back."""
    two = MetricsData(
        [
            *data(Resource({**SHOP, INSTANCE: "a"}), "x").resource_metrics,
            *data(Resource({"b": "1"}), "y").resource_metrics,
        ]
    )
    assert sent(two, data(OURS, "slo_otel")) == [[("a", ["x", "slo_otel"]), ("", ["y"])]]
