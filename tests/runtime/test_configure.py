"""`configure` starts one runtime a process, or raises with a fix."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from slo_otel import instrumentation
from slo_otel.errors import ConfigurationError, PolicyError
from slo_otel.evaluation import Scope
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import OVERFLOW
from slo_otel.runtime import Handle, check, configure
from slo_otel.runtime._configure import current, start
from slo_otel.runtime._identity import INSTANCE, forked, identify, siblings
from slo_otel.testing import InMemoryExporter, ManualClock, advance
from tests.runtime.processes import POLICY
from tests.runtime.samples import GOOD, OTHER, PLAN, record


def _start(exporter: InMemoryExporter | None = None) -> Handle:
    return start(PLAN, clock=ManualClock(), exporter=exporter)


def test_the_same_plan_again_is_the_same_handle() -> None:
    """Two modules of one service may configure; they share one runtime."""
    assert _start() is start(replace(PLAN), clock=ManualClock())


def test_another_plan_is_refused_while_one_runs() -> None:
    """A second policy would count into the first one's series; after a shutdown it is welcome."""
    first = _start()
    with pytest.raises(ConfigurationError, match=r"shutdown\(\)"):
        start(OTHER, clock=ManualClock())
    assert first.shutdown()
    second = start(OTHER, clock=ManualClock())
    assert (second.running, first.running) == (True, False)


def test_threads_that_configure_together_get_one_handle() -> None:
    """The slot is taken once."""
    found: list[Handle] = []
    clock = ManualClock()
    threads = [threading.Thread(target=lambda: found.append(start(PLAN, clock=clock))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert len(found) == 8


def test_without_a_policy_it_says_where_to_name_one() -> None:
    """Neither an argument nor SLO_OTEL_POLICY is a mistake."""
    with pytest.raises(ConfigurationError, match="SLO_OTEL_POLICY"):
        configure()


def test_a_policy_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    """The message names the path."""
    with pytest.raises(ConfigurationError, match=r"missing\.yaml"):
        configure(tmp_path / "missing.yaml")


def test_a_policy_file_is_read_compiled_and_recognised_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By argument or by SLO_OTEL_POLICY, the same file is the same handle; an edited one is another policy."""
    path = tmp_path / "slo.yaml"
    path.write_text(POLICY)
    monkeypatch.setenv("SLO_OTEL_POLICY", str(path))
    first = configure(clock=ManualClock())
    assert configure(path) is first
    assert first.plan is not None
    assert [slo.name for slo in first.plan.slos] == ["answered", "paid"]
    path.write_text(POLICY.replace("99%", "95%"))
    with pytest.raises(ConfigurationError, match="another policy"):
        configure()


def test_a_handle_says_what_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a prompt or in a log it reads as service, policy file and whether it measures, in each of its states."""
    path = tmp_path / "slo.yaml"
    path.write_text(POLICY)
    handle = configure(path, clock=ManualClock())
    assert repr(handle) == f"<slo_otel.Handle of shop: running, policy {str(path)!r}>"
    handle.shutdown()
    assert repr(handle) == f"<slo_otel.Handle of shop: shut down, policy {str(path)!r}>"
    without_file = start(replace(PLAN, namespace="eu"), clock=ManualClock())
    assert repr(without_file) == "<slo_otel.Handle of eu/shop: running>"
    monkeypatch.setenv("SLO_OTEL_DISABLED", "1")
    assert repr(configure(path)) == "<slo_otel.Handle: disabled by SLO_OTEL_DISABLED>"


def test_a_broken_policy_raises_every_mistake(tmp_path: Path) -> None:
    """The developer sees all of them at once, and nothing runs."""
    path = tmp_path / "slo.yaml"
    path.write_text(POLICY.replace("success:", "sucess:"))
    with pytest.raises(PolicyError) as failure:
        configure(path)
    assert len(failure.value.problems) >= 2
    assert instrumentation.active() is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (42, "the path of the policy file, not a int"),
        (b"slo.yaml", "the path of the policy file, not a bytes"),
        ({"version": "slo/v1"}, "the path of the policy file, not a dict"),
        (POLICY, "the path of the policy file, not its text"),
        ("a\0b", "the path of the policy file, not its text"),
        ("nowhere.yaml", "from {here}"),
        (".", "Is a directory"),
    ],
)
def test_what_is_no_policy_file_is_refused_with_what_to_give(given: str, said: str) -> None:
    """A wrong type, the text instead of the path, and a relative path from another directory all say so."""
    with pytest.raises(ConfigurationError, match=re.escape(said.format(here=Path.cwd()))):
        configure(given)


@pytest.mark.parametrize("wrong", [{"resource": "shop"}, {"exporter": "otlp"}, {"exporter": InMemoryExporter}])
def test_a_resource_or_exporter_of_the_wrong_type_is_refused(wrong: dict[str, Any]) -> None:
    """Before anything runs, not as a log line a minute later."""
    with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))}= takes"):
        start(PLAN, clock=ManualClock(), **wrong)
    assert not _running()


def test_an_endpoint_without_its_scheme_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost:4318`, as gRPC writes it, could never be sent to over HTTP."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")
    with pytest.raises(ConfigurationError, match="http://localhost:4318"):
        start(PLAN)


def test_disabled_reads_nothing_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A switched-off process needs no policy, keeps the slot empty, and its handle answers."""
    monkeypatch.setenv("SLO_OTEL_DISABLED", "yes")
    handle = configure("/nowhere.yaml")
    app = object()
    assert handle.instrument(app) is app
    assert (handle.flush(), handle.shutdown(), handle.running, handle.plan) == (True, True, False, None)
    assert handle.status().statuses == ()
    assert instrumentation.active() is None


def test_it_activates_instrumentation_until_shutdown() -> None:
    """Between the two, events have a recorder; after it they are no-ops again."""
    assert instrumentation.active() is None
    handle = _start()
    active = instrumentation.active()
    assert active is not None
    assert active.plan == PLAN
    assert handle.shutdown()
    assert instrumentation.active() is None
    assert not handle.flush()
    assert handle.shutdown()


def test_a_resource_of_another_service_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters under one name and rules under another would never meet."""
    with pytest.raises(ConfigurationError, match="service: other"):
        start(PLAN, resource={"service.name": "other"}, clock=ManualClock())
    monkeypatch.setenv("OTEL_SERVICE_NAME", "third")
    with pytest.raises(ConfigurationError, match="OTEL_SERVICE_NAME"):
        start(PLAN, clock=ManualClock())
    assert current() is None or not _running()


def test_a_namespace_must_be_that_of_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generated rules select job=namespace/service."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=eu")
    with pytest.raises(ConfigurationError, match="namespace: eu"):
        start(PLAN, clock=ManualClock())
    assert start(replace(PLAN, namespace="eu"), clock=ManualClock()).running


def test_a_failed_start_leaves_the_slot_free() -> None:
    """After the mistake is corrected, configure works in the same process."""
    with pytest.raises(ConfigurationError):
        start(PLAN, resource=Resource({"service.name": "other"}), clock=ManualClock())
    assert start(PLAN, resource=Resource({"service.name": "shop"}), clock=ManualClock()).running


def test_the_environment_is_checked_when_configuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong interval is raised to the developer, not logged to the operator."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "often")
    with pytest.raises(ConfigurationError, match="OTEL_METRIC_EXPORT_INTERVAL"):
        start(PLAN, clock=ManualClock())


def test_what_is_exported_carries_the_service_and_an_instance_of_its_own() -> None:
    """The resource has the policy's service and a `service.instance.id`."""
    sink = InMemoryExporter()
    handle = _start(sink)
    assert handle.flush()
    told = sink.exports[0].resource_metrics[0].resource.attributes
    assert told["service.name"] == "shop"
    assert len(str(told["service.instance.id"])) == 36


def test_a_given_ledger_is_used() -> None:
    """The scope of its numbers is the ledger's."""
    clock = ManualClock()
    handle = start(PLAN, ledger=MemoryLedger(PLAN, scope=Scope.HOST), clock=clock)
    advance(handle, clock, 1)
    assert handle.status().scope is Scope.HOST


def test_what_is_not_evaluated_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line lists it; the service starts all the same."""
    partly = replace(
        PLAN, unsupported=("alerts: channels",), slos=(replace(PLAN.slos[0], unsupported=("timeslices",)),)
    )
    start(partly, clock=ManualClock())
    (line,) = [record.getMessage() for record in caplog.records if "does not evaluate" in record.getMessage()]
    assert "timeslices; alerts: channels" in line


def test_a_process_with_siblings_says_that_its_numbers_are_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, where WEB_CONCURRENCY says that there are other workers."""
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    handle = _start()
    record(1)
    assert (
        len([line for line in caplog.messages if "WEB_CONCURRENCY=2" in line and "this process only" in line]) == 1
    )
    assert handle.status().scope is Scope.PROCESS


@pytest.mark.parametrize(
    ("workers", "several"), [("1", False), ("01", False), ("two", False), ("²", False), ("12", True)]
)
def test_a_number_of_workers_above_one_means_siblings(
    workers: str, several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no number says nothing, and breaks nothing."""
    monkeypatch.setenv("WEB_CONCURRENCY", workers)
    assert (siblings() is not None) is several


def _running() -> bool:
    handle = current()
    return handle is not None and handle.running


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_written_instance_id_is_shared_by_nobody(monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    """Alone it is kept; siblings derive their own, or their cumulative series would overwrite each other."""
    monkeypatch.setenv("WEB_CONCURRENCY", workers)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=pod-1")
    found = {str(identify(PLAN, None).attributes[INSTANCE]) for _ in range(3)}
    assert (found == {"pod-1"}) is (workers == "1")
    assert len(found) == (1 if workers == "1" else 3)
    given = {str(identify(PLAN, {INSTANCE: "mine"}).attributes[INSTANCE]) for _ in range(2)}
    assert len(given) == (1 if workers == "1" else 2)


def test_an_id_that_the_sdk_made_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is of this process already, and the service's own telemetry carries it too."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    assert identify(PLAN, Resource({INSTANCE: "made"})).attributes[INSTANCE] == "made"
    assert len(str(identify(PLAN, Resource({})).attributes[INSTANCE])) == 36


def test_a_forked_child_is_another_instance_of_the_same_service() -> None:
    """Parent and child are two writers."""
    parent = identify(PLAN, {"cloud.region": "eu"})
    child = forked(parent)
    assert child.attributes[INSTANCE] != parent.attributes[INSTANCE]
    assert (child.attributes["service.name"], child.attributes["cloud.region"]) == ("shop", "eu")


@pytest.mark.parametrize("variable", ["SLO_OTEL_MAX_SERIES", "SLO_OTEL_MAX_VALUES", "SLO_OTEL_MAX_REASONS"])
@pytest.mark.parametrize("written", ["abc", "-1", "1e3", "٣", "1000000000", "9" * 5_000])
def test_a_limit_that_is_no_number_of_use_is_refused(
    variable: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit that was mistyped must not be the default without a word; nothing has been started."""
    monkeypatch.setenv(variable, written)
    threads = threading.active_count()
    with pytest.raises(ConfigurationError, match=rf"{variable} is .* write a number from \d"):
        _start()
    assert (instrumentation.active(), threading.active_count()) == (None, threads)


def test_the_limits_of_the_environment_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each what passes the limit becomes one more: `overflow`, or the one series of its names and verdicts."""
    for variable, limit in (("SERIES", 3), ("VALUES", 1), ("REASONS", 0)):
        monkeypatch.setenv(f"SLO_OTEL_MAX_{variable}", str(limit))
    handle = _start()
    found = instrumentation.active()
    assert found is not None
    assert [found.bounds.value("pay", "tenant", text) for text in "ab"] == ["a", OVERFLOW]
    assert found.bounds.reason("c") == OVERFLOW
    for route in "abcdef":
        found.recorder.cell(GOOD._replace(route=route)).record(0.1)
    cells = found.recorder.snapshot(0, 0).cells
    assert (len(cells), sum(cell.count for cell in cells)) == (4, 6)
    assert handle.running


def test_a_flag_with_a_slip_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`SLO_OTEL_DISABLED=ture` would measure a process that its user switched off; both entries say so."""
    monkeypatch.setenv("SLO_OTEL_DISABLED", "ture")
    for refuses in (configure, check):
        with pytest.raises(ConfigurationError, match="SLO_OTEL_DISABLED is 'ture'; write 1 or 0"):
            refuses("/nowhere.yaml")
    assert current() is None or not _running()


def test_a_variable_with_a_slip_is_said_once_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, whoever else configures the same policy; a process that is switched off says nothing."""
    (tmp_path / "slo.yaml").write_text(POLICY)
    monkeypatch.setenv("SLO_OTEL_SIGTERN", "1")
    monkeypatch.setenv("SLO_OTEL_DISABLED", "1")
    configure()
    assert caplog.records == []
    monkeypatch.delenv("SLO_OTEL_DISABLED")
    assert configure(tmp_path / "slo.yaml", clock=ManualClock()) is configure(tmp_path / "slo.yaml")
    [line] = [record.getMessage() for record in caplog.records if "SIGTERN" in record.getMessage()]
    assert (
        line == "slo_otel: SLO_OTEL_SIGTERN is no variable that this version knows; did you mean SLO_OTEL_SIGTERM?"
    )


def test_without_a_policy_the_misspelt_variable_is_said_before_the_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who wrote SLO_OTEL_POLCY learns more than that there is no policy."""
    monkeypatch.setenv("SLO_OTEL_POLCY", "slo.yaml")
    with pytest.raises(ConfigurationError, match="no policy"):
        configure()
    assert "did you mean SLO_OTEL_POLICY?" in caplog.text
