"""A small suite of every kind of application, run by the plugins as `make upstream` runs the frameworks' suites."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from upstream.compare import complaints, counts, differences
from upstream.runs import BARE, OURS, Run, options, read, surroundings
from upstream.suites import Suite

APPLICATIONS = ("starlette.applications:Starlette", "fastapi.applications:FastAPI")
SUITE = Suite("demo", "1.0", "", ("test_demo.py",), (), (), APPLICATIONS)
SOUND = """
import asyncio
import subprocess
import httpx
from pytest import skip, xfail
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.testclient import TestClient


async def hello(request):
    return PlainTextResponse("hello")


async def chat(websocket):
    await websocket.accept()
    await websocket.close()


made_at_import = FastAPI()
routes = [Route("/", hello), Mount("/sub", Starlette(routes=[Route("/", hello)])), WebSocketRoute("/ws", chat)]


def test_fastapi():
    assert TestClient(made_at_import).get("/absent").status_code == 404


def test_a_mount_is_one_event():
    with TestClient(Starlette(routes=routes)) as client:
        assert client.get("/sub/").text == "hello"


def test_a_router():
    assert TestClient(Router(routes)).get("/").text == "hello"


def test_a_websocket():
    with TestClient(Starlette(routes=routes)).websocket_connect("/ws"):
        pass


def test_a_function_through_another_client():
    async def ask():
        transport = httpx.ASGITransport(app=PlainTextResponse("hello"))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            assert (await client.get("/")).text == "hello"

    asyncio.run(ask())


def test_a_response_by_itself():
    said = []

    async def send(message):
        said.append(message["type"])

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    asyncio.run(PlainTextResponse("hello")(scope, None, send))
    assert said == ["http.response.start", "http.response.body"]


class Child:
    limits = []

    def __init__(self, *args, **kwargs):
        self.args = args

    def __enter__(self):
        return self

    def __exit__(self, *ended):
        pass

    def communicate(self, given, timeout):
        self.limits.append(timeout)
        return "", ""

    def poll(self):
        return 0


def test_child_processes_have_more_time(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", Child)
    subprocess.run(["child"], timeout=15)
    subprocess.run(["child"])
    assert Child.limits == [90, None]


def test_nothing_is_sent():
    pass


def test_skipped():
    skip("by itself")


def test_expected_to_fail():
    xfail("by itself")


def test_fails_anyway():
    raise AssertionError("not ours")
"""
SABOTAGE = """
import sys

if "slo_otel" in sys.modules:
    from slo_otel.instrumentation import SLOMiddleware

    serve = SLOMiddleware.__call__

    async def broken(self, scope, receive, send):
        if scope.get("path") == "/":
            scope["slo_otel.upstream"] = True
            await self.app(scope, receive, send)  # not recorded
        elif scope.get("path") == "/absent":
            raise ValueError("ours")
        else:
            await serve(self, scope, receive, send)

    SLOMiddleware.__call__ = broken
"""


def run_demo(place: Path, variant: str, source: str, workers: int = 0) -> Run:
    """Run the demo suite in this environment; the plugins say what became of it."""
    place.mkdir()
    told = place / "outcomes.json"
    (place / "pyproject.toml").write_text("[tool.pytest.ini_options]\nxfail_strict = true\n", encoding="utf-8")
    (place / "test_demo.py").write_text(source, encoding="utf-8")
    command = [sys.executable, *options(SUITE, variant, workers), *SUITE.tests]
    subprocess.run(
        command,
        check=False,
        cwd=place,
        env=surroundings(SUITE, variant, place, told),
        capture_output=True,
        timeout=200,
    )
    return read(told.read_text(encoding="utf-8"), 1.0)


def named(run: Run) -> dict[str, tuple[str, int]]:
    """The outcome and the events of each test, by its own name."""
    return {name.partition("::")[2]: (test.outcome, test.events) for name, test in run.tests.items()}


def test_every_application_is_measured_and_every_outcome_kept(tmp_path: Path) -> None:
    """Applications, mounted ones, routers, functions, websockets: one event a connection, of two workers."""
    bare, ours = run_demo(tmp_path / "bare", BARE, SOUND), run_demo(tmp_path / "ours", OURS, SOUND, workers=2)
    assert differences(bare, ours) == {}
    assert [*complaints(ours)] == []
    assert counts(bare) == {"collected": 11, "passed": 8, "skipped": 1, "xfailed": 1, "failed": 1}
    assert named(ours) == {
        "test_fastapi": ("passed", 1),
        "test_a_mount_is_one_event": ("passed", 1),
        "test_a_router": ("passed", 1),
        "test_a_websocket": ("passed", 1),
        "test_a_function_through_another_client": ("passed", 1),
        "test_a_response_by_itself": ("passed", 1),
        "test_child_processes_have_more_time": ("passed", 0),
        "test_nothing_is_sent": ("passed", 0),
        "test_skipped": ("skipped", 0),
        "test_expected_to_fail": ("xfailed", 0),
        "test_fails_anyway": ("failed", 0),
    }
    assert bare.processes == ()
    assert len(ours.processes) == 2
    assert sum(process.exported for process in ours.processes) == 6


def test_a_broken_middleware_is_found(tmp_path: Path) -> None:
    """One that raises changes an outcome, one that forgets a request is told by the counts: neither passes."""
    bare, ours = (run_demo(tmp_path / variant, variant, SABOTAGE + SOUND) for variant in (BARE, OURS))
    assert [*differences(bare, ours)] == ["test_demo.py::test_fastapi"]
    assert [process.opened for process in ours.processes] == [2]
    assert [line for line in complaints(ours) if "test_a_router" in line] == [
        "test_demo.py::test_a_router: 1 requests were sent, none was recorded"
    ]


def test_a_module_that_cannot_be_imported_is_an_outcome(tmp_path: Path) -> None:
    """A fault of ours at import would take the tests of a whole module away."""
    ended = run_demo(tmp_path / "broken", BARE, "import nothing_of_this_name")
    assert {name: test.outcome for name, test in ended.tests.items()} == {"test_demo.py": "error"}


def test_nothing_of_the_caller_reaches_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter, a plugin or a switch of ours in the caller's environment would make the two sides differ."""
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "SLO_OTEL_DISABLED", "PYTEST_ADDOPTS", "PYTHONWARNINGS"):
        monkeypatch.setenv(name, "1")
    kept = surroundings(SUITE, OURS, tmp_path, tmp_path / "told")
    assert {name for name in kept if name.startswith(("OTEL_", "SLO_OTEL_", "PYTEST", "PYTHON"))} == {
        "SLO_OTEL_POLICY",
        "SLO_OTEL_STRICT",
        "PYTHONPATH",
    }
    assert kept["SLO_OTEL_STRICT"] == "1"
