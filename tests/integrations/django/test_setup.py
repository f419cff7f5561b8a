"""From the settings to a running process: what is read, what raises, and what starts nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.http import HttpRequest
from django.test import override_settings

import slo_otel_django
from slo_otel import ConfigurationError, PolicyError
from slo_otel.runtime import configure
from slo_otel.testing import ManualClock, Watch
from slo_otel_django._setup import _Slot
from tests.instrumentation.asgi_world import running
from tests.integrations.django.asking import ask_wsgi
from tests.integrations.django.project import asgi, wsgi

POLICY = """\
version: slo/v1
service: shop
step: 1s
slos:
  - name: checkout
    sli: {success: "GET /answer/{code}/"}
    objective: 99%
    window: 1h
  - name: orders
    sli: {success: "GET /orders/{order}/"}
    objective: 99%
    per: [tenant]
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """The policy of the project."""
    file = tmp_path / "slo.yaml"
    file.write_text(POLICY, encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    """The handle of a test must not be that of the next."""
    _Slot.handle = None
    yield
    _Slot.handle = None


def tenant_of(request: HttpRequest) -> dict[str, str]:
    return {"tenant": request.headers.get("X-Tenant", "none")}


def test_the_middleware_configures_the_process_and_counts(policy: Path, slo: Watch) -> None:
    """A request that the policy names is counted by its status, and `status()` says so."""
    slo.configure(policy)
    with override_settings(SLO_OTEL={"policy": policy}):
        app = wsgi()
    for code in (200, 200, 503):
        ask_wsgi(app, f"/answer/{code}/")
    slo.assert_slo("checkout", good=2, bad=1)
    slo.advance(2)
    found = slo_otel_django.status()
    assert found is not None
    status = found.find("checkout")
    assert status is not None
    assert (status.tally.good, status.tally.bad) == (2, 1)


@pytest.mark.parametrize("attributes", [tenant_of, f"{__name__}.tenant_of"])
def test_attributes_of_a_request_come_from_a_function_of_the_project(
    policy: Path, slo: Watch, attributes: object
) -> None:
    """A function, or its dotted path where settings cannot import it, says what `per:` asks for."""
    slo.configure(policy)
    with override_settings(SLO_OTEL={"policy": policy, "attributes": attributes}):
        app = wsgi()
    app({**_environ("/orders/5/"), "HTTP_X_TENANT": "acme"}, lambda *_: lambda data: None)
    slo.assert_slo("orders", good=1, group={"tenant": "acme"})


def _environ(path: str) -> dict[str, object]:
    from tests.integrations.django.asking import environ

    return environ(path)


def test_a_relative_path_is_below_base_dir(policy: Path, slo: Watch) -> None:
    """`BASE_DIR` and not the working directory, which differs between servers and commands."""
    slo.configure(policy)
    with override_settings(BASE_DIR=policy.parent, SLO_OTEL={"policy": "slo.yaml"}):
        assert wsgi() is not None


def test_the_environment_names_the_policy_where_the_settings_do_not(
    policy: Path, slo: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SLO_OTEL_POLICY`, as for every other service."""
    monkeypatch.setenv("SLO_OTEL_POLICY", str(policy))
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    wsgi()
    handle = _Slot.handle
    assert handle is not None
    assert handle.running
    assert handle.shutdown()


MISTAKES = [
    ("slo.yaml", "is a dictionary, as in"),
    ({"polcy": "slo.yaml"}, "did you mean 'policy'?"),
    ({"zzz": 1}, "it takes 'attributes', 'policy', 'resource'"),
    ({"policy": 3}, "is the path of the policy file"),
    ({"policy": ""}, "is the path of the policy file"),
    ({"policy": "version: slo/v1\nservice: shop\n"}, "is the path of the policy file"),
    ({"policy": "slo.yaml\0"}, "is the path of the policy file"),
    ({"policy": "none.yaml", "resource": 3}, "is a dictionary of resource attributes"),
    ({"policy": "none.yaml", "attributes": 3}, "is a function of the request"),
    ({"policy": "none.yaml", "attributes": "no.such.function"}, "No module named"),
    ({"policy": "none.yaml"}, "cannot read the policy"),
    ({}, 'write SLO_OTEL = {"policy": "slo.yaml"} into the settings'),
]


@pytest.mark.parametrize(("given", "said"), MISTAKES)
def test_a_mistake_in_the_settings_raises_when_the_application_is_built(given: object, said: str) -> None:
    """A server does not start with a mistake, and the message says what to write instead."""
    with override_settings(SLO_OTEL=given), pytest.raises(ConfigurationError) as raised:
        wsgi()
    assert said in str(raised.value)


def test_a_thread_that_cannot_handle_signals_is_told_what_a_project_can_do(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`runserver` builds the application in a thread beside the one that watches for changes."""
    monkeypatch.setenv("SLO_OTEL_SIGTERM", "1")
    raised: list[BaseException] = []

    def serve() -> None:
        try:
            wsgi()
        except ConfigurationError as mistake:
            raised.append(mistake)

    with override_settings(SLO_OTEL={"policy": policy}):
        thread = threading.Thread(target=serve)
        thread.start()
        thread.join()
    assert [str(mistake).partition(": ")[2] for mistake in raised] == ["unset it here, or runserver --noreload"]


def test_a_mistake_in_the_policy_raises_with_its_line(tmp_path: Path) -> None:
    """Every mistake of the file, as everywhere."""
    file = tmp_path / "slo.yaml"
    file.write_text(POLICY.replace("objective: 99%", "objective: 199%", 1), encoding="utf-8")
    with override_settings(SLO_OTEL={"policy": file}), pytest.raises(PolicyError, match=r"slo\.yaml:7"):
        asgi()


def test_another_policy_than_the_one_that_runs_raises(policy: Path, tmp_path: Path, slo: Watch) -> None:
    """One process has one policy."""
    slo.configure(policy)
    other = tmp_path / "other.yaml"
    other.write_text(POLICY.replace("checkout", "payment"), encoding="utf-8")
    with override_settings(SLO_OTEL={"policy": other}), pytest.raises(ConfigurationError, match="another policy"):
        wsgi()


def test_a_project_that_configures_itself_is_left_as_it_is(policy: Path) -> None:
    """Without a policy in the settings the middleware takes the runtime that is there."""
    handle = configure(policy, clock=ManualClock())
    ask_wsgi(wsgi(), "/answer/200/")
    assert _Slot.handle is None
    assert slo_otel_django.status() == handle.status()
    assert handle.shutdown()
    assert slo_otel_django.status() is None


def test_disabled_it_takes_itself_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With SLO_OTEL_DISABLED no policy is read, and Django runs without a middleware of ours."""
    monkeypatch.setenv("SLO_OTEL_DISABLED", "1")
    with running() as world, override_settings(SLO_OTEL={"policy": "none.yaml"}):
        assert ask_wsgi(wsgi(), "/ok/1/").body == b"ok"
        assert world.counts() == {}


def test_commands_start_nothing(policy: Path) -> None:
    """`check` and `slo_status` read the policy; only a server's application starts the thread."""
    before = set(threading.enumerate())
    with override_settings(SLO_OTEL={"policy": policy}):
        call_command("check", stdout=StringIO(), stderr=StringIO())
        call_command("slo_status", stdout=StringIO())
    assert set(threading.enumerate()) <= before  # one of another test's may end meanwhile
    assert slo_otel_django.status() is None


def said(*arguments: str, **settings: object) -> str:
    """What `manage.py slo_status` prints."""
    out = StringIO()
    with override_settings(**settings):
        call_command("slo_status", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_every_service_level_and_its_scope(policy: Path) -> None:
    """A new process knows of no event, says so, and says where the events are."""
    lines = said(SLO_OTEL={"policy": policy}).splitlines()
    assert lines[0].split()[:6] == ["SLO", "group", "objective", "window", "state", "good"]
    assert lines[1].split() == ["checkout", "99%", "1h", "no_data", "0", "0", "0", "-", "-"]
    assert lines[2].split() == ["orders", "no", "tenant", "yet"]
    assert lines[-2].startswith("scope: process. This command is a process of its own")


def test_the_command_prints_json(policy: Path) -> None:
    """The same as JSON, in the form of `Handle.status()`."""
    found = json.loads(said("--json", SLO_OTEL={"policy": policy}))
    assert (found["scope"], found["service"]) == ("process", "shop")
    assert [(status["slo"], status["state"]) for status in found["statuses"]] == [("checkout", "no_data")]


def test_within_a_serving_process_the_command_prints_what_it_counted(policy: Path, slo: Watch) -> None:
    """Called from code of the project, it is not alone."""
    slo.configure(policy)
    with override_settings(SLO_OTEL={"policy": policy}):
        app = wsgi()
    ask_wsgi(app, "/answer/200/")
    slo.advance(2)
    lines = said().splitlines()
    assert lines[1].split()[4:7] == ["1", "0", "0"]
    assert lines[-1] == "scope: process"


def test_the_command_lists_the_routes() -> None:
    """As a policy names them."""
    assert "/orders/{order}/notes/{note}/" in said("--routes").splitlines()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "^no policy: write SLO_OTEL"),
        ({"policy": "none.yaml"}, r"^cannot read the policy 'none.yaml' \(from /.*\): No such file"),
        ({"polcy": 1}, "did you mean 'policy'"),
    ],
)
def test_the_command_says_what_is_wrong(given: object, what: str) -> None:
    """In one message, without a traceback."""
    with pytest.raises(CommandError, match=what):
        said(SLO_OTEL=given)
