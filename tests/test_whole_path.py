"""Policy text to status and OTLP, for random traffic on both frameworks, against a model written by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import HistogramDataPoint
from starlette.applications import Starlette

from slo_otel import names, policy
from slo_otel.runtime import Handle
from slo_otel.runtime._configure import start
from slo_otel.testing import InMemoryExporter, ManualClock, advance
from tests.whole_path_model import POLICY, PROMISES, Group, counted, timed
from tests.whole_path_traffic import Fact, Script, facts, fastapi_app, scripts, send, starlette_app

PLAN = policy.compile(policy.loads(POLICY))
MAKERS: dict[str, Callable[[], Starlette]] = {"starlette": starlette_app, "fastapi": fastapi_app}
VERDICTS = ("good", "bad", "excluded", "total")


class Shop:
    """The running service and what is known of it on all three sides."""

    def __init__(self, framework: str) -> None:
        self.clock = ManualClock()
        self.sink = InMemoryExporter()
        self.handle: Handle = start(PLAN, clock=self.clock, exporter=self.sink, resource={"cloud.region": "eu"})
        self.validates = framework == "fastapi"
        self.app: Starlette = self.handle.instrument(MAKERS[framework]())
        self.facts: list[Fact] = []

    def serve(self, script: Script) -> None:
        asyncio.run(send(self.app, self.clock, script))
        self.facts += facts(script, validates=self.validates)

    def exported(self) -> Counter[tuple[str, Group, str]]:
        """`slo.events`, in the words of the policy."""
        words = {names.attribute(name): name for each in PROMISES for name in each.per + each.keep}
        dimensions = {slo: each.per + each.keep for each in PROMISES for slo in each.slos}
        found: Counter[tuple[str, Group, str]] = Counter()
        for attributes, value in self.sink.values(names.EVENTS).items():
            told = {words.get(name, name): text for name, text in attributes}
            slo, verdict = told.pop(names.SLO_NAME), told.pop(names.SLO_VERDICT)
            group = tuple((name, told.pop(name)) for name in dimensions[slo])
            assert told == {}
            found[slo, group, verdict] += int(value)
        return +found

    def evaluated(self) -> dict[tuple[str, Group], tuple[int, int, int]]:
        """What the status says of every SLO and `per` group that has events."""
        found = {
            (each.slo, each.group): (each.tally.good, each.tally.bad, each.tally.excluded)
            for each in self.handle.status().statuses
        }
        return {key: tally for key, tally in found.items() if any(tally)}

    def durations(self) -> Counter[tuple[str, Group, str, float]]:
        """`slo.operation.duration` as numbers of events per bucket, by the bucket's upper bound."""
        dimensions = {slo: each.per + each.keep for each in PROMISES for slo in each.slos}
        found: Counter[tuple[str, Group, str, float]] = Counter()
        for point in _newest(self.sink, names.DURATION):
            told = dict(point.attributes or {})
            entry, verdict = str(told[names.SLO_NAME]), str(told[names.SLO_VERDICT])
            group = tuple((name, str(told[name])) for name in dimensions.get(entry, ()))
            for bound, number in zip((*point.explicit_bounds, inf), point.bucket_counts, strict=True):
                found[entry, group, verdict, bound] += number
            assert point.count == sum(point.bucket_counts)
        return +found


def _newest(sink: InMemoryExporter, name: str) -> Iterator[HistogramDataPoint]:
    """The points of a histogram in the last export."""
    for resource in sink.exports[-1].resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name == name:
                    yield from (point for point in metric.data.data_points if isinstance(point, HistogramDataPoint))


@contextmanager
def shop(framework: str) -> Iterator[Shop]:
    made = Shop(framework)
    try:
        yield made
    finally:
        made.handle.shutdown()


def expected_statuses(events: Counter[tuple[str, Group, str]]) -> dict[tuple[str, Group], tuple[int, int, int]]:
    """Without `keep`, and with the third number where a total is given."""
    per = {slo: len(each.per) for each in PROMISES for slo in each.slos}
    sums: Counter[tuple[str, Group, str]] = Counter()
    for (slo, group, verdict), number in events.items():
        sums[slo, group[: per[slo]], verdict] += number
    found = {}
    for slo, group in {(slo, group) for slo, group, _ in sums}:
        good, bad, excluded, total = (sums[slo, group, verdict] for verdict in VERDICTS)
        if slo == "mail":
            bad = min(bad, max(total - excluded, 0))
            good = max(total - excluded - bad, 0)
        if good or bad or excluded:
            found[slo, group] = (good, bad, excluded)
    return found


@pytest.mark.parametrize("framework", MAKERS)
@settings(max_examples=60)
@given(traffic=st.lists(st.tuples(scripts, st.sampled_from([0.0, 0.5, 3.0])), min_size=1, max_size=12))
def test_every_number_is_what_the_policy_says_of_the_traffic(
    framework: str, traffic: list[tuple[Script, float]]
) -> None:
    """Status, `slo.events` and `slo.operation.duration` equal a model that knows neither plan nor recorder."""
    with shop(framework) as world:
        for script, pause in traffic:
            world.serve(script)
            advance(world.handle, world.clock, pause)
        advance(world.handle, world.clock, 1.0)
        assert world.handle.flush()
        model = counted(world.facts)
        assert world.exported() == model
        assert world.evaluated() == expected_statuses(model)
        assert world.durations() == timed(world.facts)
        everything = world.evaluated()["everything", ()]
        assert sum(everything) == len(traffic)
