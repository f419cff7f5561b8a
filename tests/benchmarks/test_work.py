"""What is timed does the work: requests are counted, exports arrive with as many series on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from benchmarks import exporting, wrk
from benchmarks.apps import OURS, PassThrough, Providers, variants
from benchmarks.measure import Effort, Samples
from benchmarks.ours import busy_cell, plan, recorder, running, snapshot
from benchmarks.peers import otel_sdk
from benchmarks.steps import STEPS
from benchmarks.subjects import drain
from benchmarks.subjects.asgi import SCOPE, TwoMessages, stack, tight
from benchmarks.subjects.evaluation import Shape
from slo_otel.export import InlineLane
from slo_otel.instrumentation import ASGIApp, Message, SLOMiddleware
from slo_otel.receive import Receiver
from slo_otel.recorder import Recorder


def counted(registry: Recorder) -> int:
    """Events in all cells."""
    return sum(cell.count for cell in snapshot(registry).cells)


def messages_of(app: ASGIApp) -> list[Message]:
    """What an application answers to the request of the tight loop."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(dict(SCOPE), receive, send))  # type: ignore[arg-type]  # an application returns a coroutine
    return sent


@pytest.mark.parametrize("drive", [tight, stack])
def test_every_request_of_a_round_is_counted(
    drive: Callable[[ASGIApp, int], Callable[[], float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours is not fast because it does nothing: as many events are recorded as requests were made."""
    registry = recorder()
    monkeypatch.setattr("benchmarks.ours.recorder", lambda _plan: registry)
    with running():
        app = variants(SLOMiddleware, Providers(otel_sdk.in_memory, otel_sdk.traces))[OURS]()
        drive(app if drive is stack else SLOMiddleware(TwoMessages()), 50)()
        assert counted(registry) == 50


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_request_profile_answers_as_the_bare_application(step: str) -> None:
    """Each step adds work and leaves every message as it is."""
    assert (
        messages_of(STEPS[step](TwoMessages()))
        == messages_of(TwoMessages())
        == messages_of(PassThrough(TwoMessages()))
    )


def test_a_busy_cell_has_the_limit_of_a_busy_service() -> None:
    """The amortised figure folds as many events at once as a service under load does, not the few of a new cell."""
    values = [0.1] * 5_000
    registry, cell = busy_cell(values)
    grown = cell.limit
    for value in values:
        cell.record(value)
    snapshot(registry)
    assert cell.limit == grown > cell.floor


def test_both_exports_carry_every_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK sends a histogram a series; ours sends that of the valid events, that of the excluded, and counts."""
    monkeypatch.setattr(exporting, "SERIES", 200)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    with Receiver() as receiver:
        with exporting.ours(receiver.endpoint, InlineLane(), [0.1, 0.2], 200) as ours:
            ours()
        with exporting.sdk(receiver.endpoint, [0.1, 0.2]) as sdk:
            sdk()
        assert len(receiver.find("slo.operation.duration", slo_verdict="valid")) == 200
        assert len(receiver.find("slo.operation.duration", slo_verdict="excluded")) == 200
        assert len(receiver.find("slo.events")) == 600
        assert len(receiver.find("http.server.request.duration")) == 200


def test_the_sdk_records_what_it_is_given() -> None:
    """The peer's histogram is read: it counts every value that is timed."""
    reader = InMemoryMetricReader()
    instrument = otel_sdk.histogram(reader)
    for _ in range(3):
        instrument.record(0.1, otel_sdk.ATTRIBUTES)
    data = reader.get_metrics_data()
    assert data is not None
    [point] = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert getattr(point, "count", None) == 3


def test_the_evaluation_is_of_as_many_pairs() -> None:
    """Groups are evaluated one by one: SLOs times groups statuses come out."""
    small = Shape(3, ("region",), ("a", "b"))
    assert all(spent >= 0 for spent in small.stages())
    assert small.statuses == 6


def test_the_policy_of_the_benchmarks_judges_by_duration() -> None:
    """Availability alone would be cheaper to fold: requests count for a latency SLO with two thresholds, too."""
    assert [slo.name for slo in plan().slos] == ["availability", "latency-p95", "latency-p99", "calls"]


def test_a_subject_gives_a_value_for_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shape that the runner expects, from the subject that needs no peer."""
    monkeypatch.setattr(drain, "FOLDS", 2)
    samples: Samples = drain.measure(Effort(2, quick=True))
    assert {name: len(values) for name, values in samples.items()} == {"drain.median": 2, "drain.p99": 2}


def test_an_unknown_machine_is_told_to_install_wrk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wrk and without a way to get it, one line says what to do."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="apt install wrk"):
        wrk.ensure()
