"""What `begin` does in a process: nothing without a policy, one set-up with one, never an exception."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

import slo_otel
from slo_otel import instrumentation
from slo_otel.auto import Instrumentor, begin, end
from slo_otel.runtime._configure import current
from slo_otel.testing import InMemoryExporter, ManualClock
from tests.auto.services import environment
from tests.auto.shops import POLICY


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    os.environ.pop("_SLO_OTEL_SAID", None)
    yield
    end()
    os.environ.pop("_SLO_OTEL_SAID", None)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """The path of a policy that counts every request."""
    path = tmp_path / "slo.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return str(path)


async def hello(request: object) -> PlainTextResponse:
    """A handler."""
    return PlainTextResponse("hello")


def application() -> Starlette:
    """An application with one route."""
    return Starlette(routes=[Route("/orders/{number}", hello)])


def counted() -> int:
    """The events of the process."""
    handle = current()
    assert handle is not None
    running = instrumentation.active()
    assert running is not None
    return sum(cell.count for cell in running.recorder.snapshot(0, 0).cells)


def test_an_application_is_measured_when_it_serves(policy: str) -> None:
    """Constructing one configures nothing, since it may never serve in this process; its first connection does."""
    begin(policy)
    app = application()
    assert instrumentation.active() is None
    assert TestClient(app).get("/orders/1").text == "hello"
    assert counted() == 1


def test_twice_is_once(policy: str) -> None:
    """Both launchers around each other: every request is one event."""
    begin(policy)
    Instrumentor().instrument(skip_dep_check=True)
    TestClient(application()).get("/orders/1")
    assert counted() == 1


def test_an_application_that_measures_itself_is_left_alone(policy: str) -> None:
    """It is counted once, by the handle that it made with an exporter and a clock of its own."""
    begin(policy)
    exporter = InMemoryExporter()
    app = application()
    handle = slo_otel.configure(policy, exporter=exporter, clock=ManualClock())
    handle.instrument(app)
    TestClient(app).get("/orders/1")
    assert handle is current()
    assert counted() == 1
    assert handle.flush()
    assert exporter.exports


def test_an_application_that_only_configures_is_measured_by_its_handle(policy: str) -> None:
    """`configure` in code, `instrument` by us: the same handle."""
    begin(policy)
    handle = slo_otel.configure(policy, clock=ManualClock())
    TestClient(application()).get("/orders/1")
    assert handle is current()
    assert counted() == 1


def test_fastapi_is_measured_beside_an_agent_that_replaces_starlettes_class(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenTelemetry's instrumentation of Starlette does so; FastAPI's class goes on from the one before."""

    class Replaced(Starlette):
        pass

    monkeypatch.setattr("starlette.applications.Starlette", Replaced)
    begin(policy)
    app = FastAPI()
    assert TestClient(app).get("/nowhere").status_code == 404
    assert counted() == 1


def test_a_mounted_application_makes_no_second_event(policy: str) -> None:
    """Both applications are wrapped; the outer one counts, by the full template."""
    begin(policy)
    outer = Starlette(routes=[Mount("/shop", app=application())])
    assert TestClient(outer).get("/shop/orders/1").status_code == 200
    assert counted() == 1
    running = instrumentation.active()
    assert running is not None
    assert [cell.key.route for cell in running.recorder.snapshot(0, 0).cells] == ["/shop/orders/{number}"]


def test_the_environment_names_the_policy_from_where_the_process_began(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that changes its directory before it loads the application finds the file all the same."""
    monkeypatch.chdir(Path(policy).parent)
    monkeypatch.setenv("SLO_OTEL_POLICY", "slo.yaml")
    begin()
    monkeypatch.chdir("/")
    TestClient(application()).get("/orders/1")
    assert counted() == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [("version: slo/v1\nservise: shop\n", "servise"), (None, "cannot read the policy")],
    ids=["mistake", "missing"],
)
def test_a_policy_that_cannot_be_used_is_told_once_and_the_service_goes_on(
    tmp_path: Path, text: str | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """At set-up, before any request: one error for all applications, which answer as if we were not there."""
    path = tmp_path / "slo.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    begin(str(path))
    apps = [application(), application()]
    assert len(caplog.records) == 1
    assert [TestClient(app).get("/orders/1").text for app in apps] == ["hello", "hello"]
    [record] = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "slo_otel")
    assert "nothing is measured" in record.getMessage()
    assert said in record.getMessage()
    assert instrumentation.active() is None


def test_an_environment_that_cannot_work_is_told_once_too(
    policy: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What `configure` refuses when the application begins to serve is no exception of the application."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "often")
    begin(policy)
    client = TestClient(application())
    assert [client.get("/orders/1").text for _ in range(2)] == ["hello", "hello"]
    assert ["OTEL_METRIC_EXPORT_INTERVAL" in record.getMessage() for record in caplog.records] == [True]


def test_without_a_policy_one_line_says_so_and_nothing_is_touched(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in the children either: what was said is in the environment that they inherit."""
    finders = list(sys.meta_path)
    for _ in range(3):
        Instrumentor().instrument()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "SLO_OTEL_POLICY" in caplog.text
    assert sys.meta_path == finders
    assert "middleware_stack" not in vars(Starlette)


def test_a_misspelt_variable_is_said_beside_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever wrote SLO_OTEL_POLCY reads both, once for a process and its children."""
    monkeypatch.setenv("SLO_OTEL_POLCY", "slo.yaml")
    for _ in range(2):
        begin()
    said = [record.getMessage() for record in caplog.records]
    assert ["did you mean SLO_OTEL_POLICY?" in line for line in said] == [True, False]


def test_a_flag_that_is_none_is_told_once_and_the_service_goes_on(
    policy: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`SLO_OTEL_DISABLED=ture` switches nothing off, and nothing is measured in its name."""
    monkeypatch.setenv("SLO_OTEL_DISABLED", "ture")
    begin(policy)
    assert TestClient(application()).get("/orders/1").text == "hello"
    assert ["SLO_OTEL_DISABLED is 'ture'; write 1 or 0" in record.getMessage() for record in caplog.records] == [
        True
    ]
    assert instrumentation.active() is None


def test_disabled_is_silent(policy: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """`SLO_OTEL_DISABLED` is an answer: no line, no watch, with a policy or without."""
    monkeypatch.setenv("SLO_OTEL_DISABLED", "1")
    begin(policy)
    begin()
    assert caplog.records == []
    assert "middleware_stack" not in vars(Starlette)


def test_end_takes_everything_back(policy: str) -> None:
    """Afterwards no finder and no class is ours, and new applications are not measured."""
    finders = list(sys.meta_path)
    begin(policy)
    assert "middleware_stack" in vars(Starlette)
    Instrumentor().uninstrument()
    assert sys.meta_path == finders
    assert "middleware_stack" not in vars(Starlette)
    TestClient(application()).get("/orders/1")
    assert instrumentation.active() is None


def test_the_entry_point_loads_nothing_that_only_a_measured_process_needs(tmp_path: Path) -> None:
    """It is loaded wherever the launcher runs: without a policy no library, no thread, no further stage."""
    code = (
        "import sys, threading\n"
        "from slo_otel.auto import Instrumentor\n"
        "Instrumentor().instrument(skip_dep_check=True)\n"
        "heavy = ('pydantic', 'ruamel', 'opentelemetry', 'requests', 'starlette', 'flask', 'django',"
        " 'slo_otel.runtime', 'slo_otel.policy', 'slo_otel.export')\n"
        "print([name for name in heavy if name in sys.modules], threading.active_count())\n"
    )
    quiet = {name: text for name, text in environment("http://127.0.0.1:9").items() if name != "SLO_OTEL_POLICY"}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=quiet, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[] 1\n"
    assert ran.stderr.count("\n") == 1
