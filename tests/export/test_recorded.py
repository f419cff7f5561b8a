"""From real policies through the real recorder: what is exported equals what was recorded."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint, Metric

from slo_otel import names, policy
from slo_otel.export import Kinds, Outgoing, Own, Translation
from slo_otel.plan import (
    CellKey,
    Form,
    HttpTerm,
    Indicator,
    Kind,
    LatencyObjective,
    NameTerm,
    Outcome,
    Plan,
    RouteTerm,
    resolve,
)
from slo_otel.recorder import Recorder
from slo_otel.testing import ManualClock
from slo_otel.units import seconds
from tests.export.samples import at_most, bars, numbers

POLICIES = sorted((Path(__file__).parents[2] / "examples" / "policies").glob("*.yaml"))
DURATIONS = (0.0, 0.125, 0.5, 2.0, 30.0, 300.0)
OUTCOMES = ((Outcome.SUCCESS, 200), (Outcome.ERROR, 503), (Outcome.TIMEOUT, None), (Outcome.CANCELLED, None))


EXPLICIT = Kinds()
COUNTED = (Form.SUCCESS, Form.ERRORS, Form.LATENCY)


def _key(indicator: Indicator) -> CellKey:
    """An event that the indicator's first term matches and its `where` holds for."""
    key = _matched(indicator)
    for name, values in indicator.selection.where.tests:
        if name == "category":
            key = key._replace(names=(*key.names, values[0]))
        elif name == "operation":
            key = key._replace(operation=values[0])
        else:
            key = key._replace(attributes=tuple(sorted((*key.attributes, (name, values[0])))))
    return key


def _matched(indicator: Indicator) -> CellKey:
    match indicator.selection.match.terms[0]:
        case RouteTerm(method, segments):
            route = "/" + "/".join(segment.replace("*", "x") for segment in segments)
            return CellKey(Kind.HTTP, method=method or "GET", route=route)
        case NameTerm(name):
            return CellKey(Kind.OPERATION, names=(name,), operation=name)
        case HttpTerm():
            return CellKey(Kind.HTTP, method="GET", route="/any")


def _recorded(plan: Plan, kinds: Kinds = EXPLICIT) -> tuple[dict[str, Metric], int]:
    """Every indicator's event with every outcome and duration, recorded; the metrics, and how many events."""
    clock = ManualClock()
    recorder = Recorder(plan, clock=clock, writer="w", resource={})
    events = 0
    indicators = [each for each in plan.indicators if each.form in COUNTED]
    for indicator, (outcome, status), duration in product(indicators, OUTCOMES, DURATIONS):
        key = _key(indicator)._replace(outcome=outcome)
        key = key._replace(status=status) if key.kind is Kind.HTTP else key
        recorder.cell(resolve(plan, key)).record(duration)
        events += 1
    clock.advance(1)
    reading = clock.read()
    taken = recorder.snapshot(reading.wall_ns, reading.mono_ns)
    found = Translation(plan, reading.wall_ns, kinds).metrics(Outgoing(taken, None, Own(taken.limits, 0, 0)))
    return {metric.name: metric for metric in found}, events


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_histograms_and_verdicts_of_every_example_policy_agree(path: Path) -> None:
    """At every latency objective of the file, `count - le` of each group is the SLO's bad count of that group."""
    plan = policy.compile(policy.load(path))
    found, _ = _recorded(plan)
    duration, events = found.get(names.DURATION), found[names.EVENTS]
    latencies = [slo for slo in plan.slos if isinstance(slo.objective, LatencyObjective)]
    assert bool(latencies) is (duration is not None)
    if duration is None:
        return
    histograms, counts = bars(duration), numbers(events)
    compared = 0
    for slo in latencies:
        assert isinstance(slo.objective, LatencyObjective)
        for told, point in histograms.items():
            group = dict(told)
            if group["slo.name"] == slo.indicator.name and group["slo.verdict"] == "valid":
                bad = tuple(sorted({**group, "slo.name": slo.name, "slo.verdict": "bad"}.items()))
                assert point.count - at_most(point, seconds(slo.objective.under_ns)) == counts[bad]
                compared += point.count
    assert compared


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_exponential_histograms_hold_the_same_events(path: Path) -> None:
    """Of every group, valid and excluded: as many as the explicit ones, with the same sum, each in a bucket."""
    plan = policy.compile(policy.load(path))
    explicit, exponential = (
        _recorded(plan, Kinds(exponential=chosen))[0].get(names.DURATION) for chosen in (False, True)
    )
    if explicit is None or exponential is None:
        assert explicit is exponential is None
        return
    points = {}
    for point in exponential.data.data_points:
        assert isinstance(point, ExponentialHistogramDataPoint)
        assert point.count == point.zero_count + sum(point.positive.bucket_counts)
        points[tuple(sorted((name, str(value)) for name, value in (point.attributes or {}).items()))] = point
    expected = bars(explicit)
    assert {key: point.count for key, point in points.items()} == {
        key: each.count for key, each in expected.items()
    }
    assert all(point.sum == pytest.approx(expected[key].sum) for key, point in points.items())


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_every_verdict_of_every_example_policy_is_finite_and_typed(path: Path) -> None:
    """Counters are integers from zero; every SLO that counts events has its series."""
    plan = policy.compile(policy.load(path))
    found, events = _recorded(plan)
    metric = found[names.EVENTS]
    counts = numbers(metric)
    assert all(isinstance(value, int) and 0 <= value <= events for value in counts.values())
    told = {dict(key)["slo.name"] for key in counts}
    counted = {slo.name for slo in plan.slos if slo.indicator.form in COUNTED}
    assert counted <= told
    dims = {slo.name: len(slo.indicator.dims) for slo in plan.slos}
    assert all(len(key) == 2 + dims[dict(key)["slo.name"]] for key in counts)
