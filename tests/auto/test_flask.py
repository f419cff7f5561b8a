"""Flask applications: the first request finds everything in place, and so do those that come with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import slo_otel
from slo_otel import instrumentation
from slo_otel.auto import begin, end
from slo_otel.testing import ManualClock
from slo_otel.wsgi import SLOMiddleware
from tests.auto.shops import POLICY


@pytest.fixture(autouse=True)
def _begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    (tmp_path / "slo.yaml").write_text(POLICY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    begin("slo.yaml")
    yield
    end()


def application() -> Flask:
    """An application with one route."""
    app = Flask("shop")
    app.add_url_rule("/orders/<int:number>", view_func=order)
    return app


def order(number: int) -> str:
    """A view."""
    return str(number)


def counted() -> int:
    """The events of the process."""
    running = instrumentation.active()
    assert running is not None
    return sum(cell.count for cell in running.recorder.snapshot(0, 0).cells)


def test_an_application_is_measured_from_its_first_request() -> None:
    """Constructing one configures nothing; middleware that was put around it meanwhile is within ours."""
    app = application()
    assert instrumentation.active() is None
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # as Flask's documentation says
    assert [app.test_client().get("/orders/7").text for _ in range(3)] == ["7", "7", "7"]
    assert counted() == 3
    assert isinstance(app.wsgi_app, SLOMiddleware)


def test_requests_that_come_together_first_are_all_measured() -> None:
    """None passes by while another one's thread sets things up."""
    app = application()
    ready = threading.Barrier(8)

    def visit() -> None:
        ready.wait()
        app.test_client().get("/orders/7")

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted() == 8


def test_an_application_that_measures_itself_is_counted_once() -> None:
    """By its own handle."""
    app = application()
    handle = slo_otel.configure("slo.yaml", clock=ManualClock())
    handle.instrument(app)
    app.test_client().get("/orders/7")
    assert counted() == 1


def test_afterwards_the_class_is_flasks_own() -> None:
    """`end` takes both methods back."""
    assert Flask.__call__.__module__ == "flask.app"
    assert hasattr(Flask.__call__, "__wrapped__")
    end()
    assert not hasattr(Flask.__call__, "__wrapped__")
    assert "__init__" in vars(Flask)
    assert not hasattr(Flask.__init__, "__wrapped__")
