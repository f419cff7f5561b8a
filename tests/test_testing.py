"""What users' tests are given: a clock, a sink, and assertions that explain themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics.export import MetricsData
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import slo_otel
from slo_otel import instrumentation, names
from slo_otel.errors import ConfigurationError
from slo_otel.plan import Outcome
from slo_otel.receive import Receiver
from slo_otel.testing import InMemoryExporter, ManualClock, Watch, advance, assert_slo, watch
from slo_otel.units import SECOND_NS

POLICY = """\
version: slo/v1
service: shop
slos:
  - name: checkout-success
    sli: {success: checkout, exclude: error if reason=stolen_card}
    objective: 99%
  - name: checkout-speed
    sli: {latency: checkout}
    objective: p95 < 250ms
  - name: by-region
    sli: {success: checkout}
    objective: 99%
    per: region
  - name: orders
    sli: {good: order.paid, total: order.tried}
    objective: 99%
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy file."""
    path = tmp_path / "slo.yaml"
    path.write_text(POLICY)
    return path


@slo_otel.track("checkout")
def checkout(clock: ManualClock | None = None, *, seconds: float = 0.1, fails: str | None = None) -> None:
    """An operation of the user's that takes its time and may fail."""
    if clock is not None:
        clock.advance(seconds)
    if fails is not None:
        slo_otel.current_event().bad(fails)


def _sent_at(data: MetricsData) -> int:
    """The moment of an export's `slo.events`, in whole seconds."""
    [moment] = {
        point.time_unix_nano
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == names.EVENTS
        for point in metric.data.data_points
    }
    return moment // SECOND_NS


def test_the_fixture_counts_from_its_beginning(slo: Watch, policy: Path) -> None:
    """The plugin's fixture: configure, act, assert."""
    slo.configure(policy)
    for fails in (None, None, "declined", None):
        checkout(slo.clock, fails=fails)
    slo.assert_slo("checkout-success", good=3, bad=1, excluded=0)
    assert_slo("checkout-speed", good=4, bad=0)


def test_what_was_counted_before_does_not_count(policy: Path) -> None:
    """A service that is configured when it is imported has a past; a watch sees what comes after."""
    slo_otel.configure(policy, clock=ManualClock())
    checkout()
    with watch() as first:
        checkout(fails="declined")
        with watch() as second:
            checkout()
            second.assert_slo("checkout-success", good=1, bad=0)
        first.assert_slo("checkout-success", good=1, bad=1)
        assert [event.key.outcome.value for event in first.events] == ["success", "success"]


def test_a_runtime_that_is_configured_during_the_test_is_counted_from_zero(slo: Watch, policy: Path) -> None:
    """The fixture does not have to come after the configuration."""
    handle = slo_otel.configure(policy, clock=ManualClock())
    checkout()
    slo.assert_slo("checkout-success", good=1)
    handle.shutdown()


def test_a_failed_assertion_lists_the_events_in_order_with_their_meaning(slo: Watch, policy: Path) -> None:
    """The message says what happened, not only that numbers differ."""
    slo.configure(policy)
    checkout(slo.clock, seconds=0.1)
    checkout(slo.clock, seconds=0.5, fails="declined")
    slo_otel.count("order.paid")
    with pytest.raises(AssertionError) as failure:
        slo.assert_slo("checkout-speed", good=2, bad=0)
    assert str(failure.value).splitlines() == [
        "checkout-speed: good 1 instead of 2, bad 1 instead of 0; the events were:",
        "  1. checkout success 100 ms -> good",
        "  2. checkout success reason=declined 500 ms -> bad",
        "  3. order.paid success -> not counted",
    ]
    with pytest.raises(AssertionError, match=r"checkout-success: bad 1 instead of 0"):
        slo.assert_slo("checkout-success", bad=0)


def told(slo: Watch, name: str) -> list[str]:
    """The events in the message of an assertion that fails."""
    with pytest.raises(AssertionError) as failure:
        slo.assert_slo(name, good=99)
    return str(failure.value).splitlines()[1:]


def test_a_call_reads_as_what_it_was(slo: Watch, policy: Path) -> None:
    """Attributes, exceptions and durations; one on the limit is good, one a nanosecond longer is not."""
    slo.configure(policy)
    assert slo.clock is not None
    for seconds, attributes in ((0.25, {"region": "eu"}), (0.250_000_001, {})):
        with slo_otel.track("checkout", operation="pay", attrs=attributes):
            slo.clock.advance(seconds)
    with pytest.raises(KeyError), slo_otel.track("checkout"):
        raise KeyError
    assert told(slo, "checkout-speed") == [
        "  1. pay success region=eu 250 ms -> good",
        "  2. pay success 250 ms -> bad",
        "  3. checkout exception error=KeyError 0 ms -> good",
    ]


def test_a_counted_outcome_reads_as_what_it_adds(slo: Watch, policy: Path) -> None:
    """To the good, to the total, or to neither."""
    slo.configure(policy)
    for name in ("order.paid", "order.tried", "order.lost"):
        slo_otel.count(name)
    assert told(slo, "orders") == [
        "  1. order.paid success -> good",
        "  2. order.tried success -> total",
        "  3. order.lost success -> not counted",
    ]


def test_a_stream_reads_as_judged_by_its_first_byte(slo: Watch, policy: Path) -> None:
    """Its whole duration says nothing of the verdict, and the message does not pretend so."""
    chunks = ("data: 1\n\n", "data: 2\n\n")
    stream = slo_otel.tag("checkout")(lambda _: StreamingResponse(iter(chunks), media_type="text/event-stream"))
    slo.configure(policy).instrument(app := Starlette(routes=[Route("/checkout", stream)]))
    TestClient(app).get("/checkout")
    assert told(slo, "checkout-speed") == ["  1. GET /checkout 200 success 0 ms -> good or bad, by its first byte"]
    assert told(slo, "checkout-success") == ["  1. GET /checkout 200 success 0 ms -> good"]


def test_no_events_are_said_to_be_none(slo: Watch, policy: Path) -> None:
    """The usual reason for a failure: nothing was tagged."""
    slo.configure(policy)
    with pytest.raises(AssertionError, match=r"good 0 instead of 1; the events were:\n  none"):
        slo.assert_slo("checkout-success", good=1)


def test_what_is_not_given_is_not_compared(slo: Watch, policy: Path) -> None:
    """A test names the numbers that it is about."""
    slo.configure(policy)
    checkout(fails="declined")
    slo.assert_slo("checkout-success", bad=1)
    slo.assert_slo("checkout-success")


def test_groups_are_told_apart(slo: Watch, policy: Path) -> None:
    """`group=` narrows to the groups with these attributes; without it all of them are added."""
    slo.configure(policy)
    for region in ("eu", "eu", "us"):
        with slo_otel.track("checkout", attrs={"region": region}):
            pass
    slo.assert_slo("by-region", good=2, group={"region": "eu"})
    slo.assert_slo("by-region", good=0, group={"region": "asia"})
    slo.assert_slo("by-region", good=3)


def test_totals_of_counted_slis_are_counted(slo: Watch, policy: Path) -> None:
    """Domain outcomes given with a total have a fourth number."""
    slo.configure(policy)
    slo_otel.count("order.tried", 5)
    slo_otel.count("order.paid", 3)
    slo.assert_slo("orders", good=3, total=5)
    assert len(slo.events) == 8


def test_an_unknown_slo_is_a_mistake_with_a_hint(slo: Watch, policy: Path) -> None:
    """A typo does not pass as zero events."""
    slo.configure(policy)
    with pytest.raises(
        AssertionError, match=r"^the policy has no SLO 'checkout-sucess'; did you mean 'checkout-success'"
    ):
        slo.assert_slo("checkout-sucess", good=0)
    with pytest.raises(AssertionError, match=r"'x'; it has checkout-success, checkout-speed, by-region, orders$"):
        slo.assert_slo("x", good=0)


def test_nothing_configured_or_watched_is_said() -> None:
    """Both mistakes of a first test say what is missing."""
    with pytest.raises(RuntimeError, match="use the fixture slo"):
        assert_slo("checkout-success", good=0)
    with watch() as running, pytest.raises(AssertionError, match="nothing is configured"):
        running.assert_slo("checkout-success", good=0)
    with watch() as running, pytest.raises(RuntimeError, match=r"configure\(\) first"):
        running.advance(1)


def test_production_has_no_tap(policy: Path) -> None:
    """The events of a service are remembered only while somebody watches."""
    handle = slo_otel.configure(policy, clock=ManualClock())
    assert _tap() is None
    with watch():
        assert _tap() is not None
    assert _tap() is None
    handle.shutdown()


def _tap() -> object:
    active = instrumentation.active()
    assert active is not None
    return active.tap


def test_the_watch_shuts_down_what_it_configured(policy: Path) -> None:
    """Tests do not leak a runtime into each other."""
    with watch() as running:
        handle = running.configure(policy)
        states = [handle.running]
    assert [*states, handle.running] == [True, False]
    assert instrumentation.active() is None


def test_time_is_moved_by_hand_with_every_tick(slo: Watch, policy: Path) -> None:
    """An hour passes at once, and budgets follow."""
    handle = slo.configure(policy)
    checkout(slo.clock)
    slo.advance(3600)
    found = handle.status().find("checkout-success")
    assert found is not None
    assert slo.clock is not None
    assert (found.sli, handle.status().at_ns) == (
        1.0,
        slo.clock.read().wall_ns // (15 * SECOND_NS) * 15 * SECOND_NS,
    )


def test_each_tick_comes_at_its_time(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time does not leap over ticks, and what remains after the last one passes too."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "15000")
    sink, clock = InMemoryExporter(), ManualClock(1_000.0)
    handle = slo_otel.configure(policy, clock=clock, exporter=sink)
    checkout()
    advance(handle, clock, 62.5)
    assert [_sent_at(data) for data in sink.exports] == [1_020, 1_035, 1_050]
    assert clock.read() == (1_062_500_000_000, 62_500_000_000)
    handle.shutdown()


def test_time_passes_for_a_handle_that_does_nothing(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `SLO_OTEL_DISABLED` is set there are no ticks, and a test that moves its clock runs all the same."""
    monkeypatch.setenv("SLO_OTEL_DISABLED", "1")
    clock = ManualClock(1_000.0)
    handle = slo_otel.configure(policy, clock=clock)
    advance(handle, clock, 62.5)
    advance(handle, clock, 0)
    assert clock.read() == (1_062_500_000_000, 62_500_000_000)


def test_a_watch_leaves_the_service_that_configured_itself_running(policy: Path) -> None:
    """Its `configure` refuses to share a runtime: one with another clock, that the watch would shut down."""
    handle = slo_otel.configure(policy, clock=ManualClock())
    with watch() as running, pytest.raises(ConfigurationError, match="configured already"):
        running.configure(policy)
    with watch() as running:
        checkout()
        running.assert_slo("checkout-success", good=1)
    assert handle.running
    handle.shutdown()


def test_the_clock_moves_only_forward_except_on_the_wall() -> None:
    """Monotonic time cannot go back; a wall clock can be corrected either way."""
    clock = ManualClock(1_000.0)
    clock.advance(2.5)
    clock.advance(0)
    clock.step_wall(-100)
    assert clock.read() == (902_500_000_000, 2_500_000_000)
    assert clock.perf() - ManualClock().perf() == 2.5
    with pytest.raises(ValueError, match="step_wall"):
        clock.advance(-1)


def test_the_clock_times_whole_nanoseconds_from_its_first_moment() -> None:
    """A duration on a limit is on it whenever it begins, and no reading is 0.0, which timers take for never."""
    clock = ManualClock()
    assert clock.perf() > 0
    for _ in range(1_000):
        began = clock.perf()
        clock.advance(0.3)
        assert clock.perf() - began == 0.3


def test_an_answer_at_the_first_moment_of_the_clock_is_an_answer(slo: Watch, policy: Path) -> None:
    """A 503 from a service under a clock that nobody moved is a 503, not an answer that broke off."""
    app = Starlette(routes=[Route("/checkout", lambda _: Response(status_code=503))])
    slo.configure(policy).instrument(app)
    TestClient(app).get("/checkout")
    (seen,) = slo.events
    assert (seen.key.status, seen.key.outcome, seen.key.error_type) == (503, Outcome.ERROR, None)


def test_the_sink_shows_what_would_be_exported(policy: Path) -> None:
    """Values by metric and attributes, newest first of each series; refusals are not kept."""
    sink, clock = InMemoryExporter(), ManualClock()
    handle = slo_otel.configure(policy, clock=clock, exporter=sink)
    checkout(clock)
    advance(handle, clock, 60)
    assert sink.value(names.EVENTS, slo_name="checkout-success", slo_verdict="good") == 1
    assert sink.value(names.DURATION, slo_name="checkout-speed", slo_verdict="valid") == 1
    assert sink.value(names.EVENTS, slo_name="no-such") is None
    with pytest.raises(LookupError, match="name more attributes"):
        sink.value(names.EVENTS, slo_name="checkout-success")
    sink.fails = True
    checkout(clock)
    assert not handle.flush()
    assert sink.value(names.EVENTS, slo_name="checkout-success", slo_verdict="good") == 1
    handle.shutdown()


def test_a_value_is_that_of_one_series(policy: Path) -> None:
    """Two series are too many to say one number; an attribute with an underscore is named like one with a dot."""
    policy.write_text(POLICY.replace("per: region", "per: tenant_id"))
    sink, clock = InMemoryExporter(), ManualClock()
    handle = slo_otel.configure(policy, clock=clock, exporter=sink)
    for tenant in ("a", "b", "b"):
        with slo_otel.track("checkout", attrs={"tenant_id": tenant}):
            clock.advance(0.1)
    assert handle.flush()
    assert sink.force_flush()
    good = {"slo_name": "by-region", "slo_verdict": "good"}
    assert (sink.value(names.EVENTS, tenant_id="a", **good), sink.value(names.EVENTS, tenant_id="b", **good)) == (
        1,
        2,
    )
    with pytest.raises(LookupError, match=f"^2 series of {names.EVENTS} have .*; name more attributes$"):
        sink.value(names.EVENTS, **good)
    handle.shutdown()


def test_an_injected_clock_never_opens_a_connection(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's test suite sends nothing to the Collector its environment names."""
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        with watch() as running:
            running.configure(policy)
            checkout(running.clock)
            running.advance(120)
        assert receiver.requests == 0


def test_loading_the_plugin_costs_nothing_when_it_is_not_used() -> None:
    """pytest imports it in every run: neither the SDK's metrics nor the runtime comes with it."""
    program = (
        "import sys, slo_otel.testing;"
        "print([name for name in sys.modules if name in ('slo_otel.runtime', 'slo_otel.export', 'pydantic',"
        " 'opentelemetry.sdk', 'google.protobuf', 'requests')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200, check=True)
    assert done.stdout == "[]\n"


def test_unknown_names_of_the_module_are_attribute_errors() -> None:
    """Lazy loading keeps the usual error for a typo."""
    import slo_otel.testing as module

    with pytest.raises(AttributeError, match="no attribute 'ManualClok'"):
        _ = module.ManualClok
