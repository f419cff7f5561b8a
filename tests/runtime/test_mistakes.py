"""What can be said of the environment before anything is started: the same that `configure` would raise."""

from __future__ import annotations

import os
import sys
import threading
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from slo_otel import ConfigurationError
from slo_otel.instrumentation import active
from slo_otel.plan import Plan
from slo_otel.policy import compile as compiled
from slo_otel.policy import loads
from slo_otel.runtime import configure, mistakes

TEXT = """\
version: slo/v1
service: shop
slos: [{name: pages, sli: {success: http}, objective: 99%}]
"""
WRONG = {
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such/ca.pem",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "both",
    "OTEL_METRICS_EXPORTER": "otpl",
    "OTEL_METRIC_EXPORT_INTERVAL": "1s",
    "OTEL_METRICS_EXEMPLAR_FILTER": "some",
    "OTEL_SERVICE_NAME": "cellar",
    "SLO_OTEL_DISABLED": "maybe",
    "SLO_OTEL_MAX_SERIES": "many",
    "SLO_OTEL_SPAN_ATTRIBUTES": "good",
}
"""One mistake each; the certificate is asked for where the endpoint is of https."""


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OTEL_", "SLO_OTEL_")) and name != "SLO_OTEL_STRICT":
            monkeypatch.delenv(name)


def plan() -> Plan:
    """The policy of this module."""
    return compiled(loads(TEXT))


@pytest.mark.parametrize("name", WRONG)
def test_it_says_what_configure_would_raise(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word, for a mistake of every kind, and nothing else."""
    monkeypatch.setenv(name, WRONG[name])
    if name.endswith("CERTIFICATE"):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:4318")
    (tmp_path / "slo.yaml").write_text(TEXT, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        configure(tmp_path / "slo.yaml")
    assert list(mistakes(plan())) == [str(raised.value)]


def test_every_mistake_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `configure` stops at the first one."""
    for name in ("OTEL_METRIC_EXPORT_INTERVAL", "OTEL_EXPORTER_OTLP_COMPRESSION", "SLO_OTEL_MAX_SERIES"):
        monkeypatch.setenv(name, WRONG[name])
    said = "\n".join(mistakes(plan(), {"service.name": "cellar"}))
    for word in ("cellar", "'1s'", "'many'", "'zip'"):
        assert word in said


def test_an_environment_that_says_nothing_is_right() -> None:
    """As is a resource that agrees with the policy."""
    assert list(mistakes(plan())) == []
    assert list(mistakes(plan(), {"service.name": "shop", "service.version": "3"})) == []


@pytest.mark.parametrize(
    "off", [{"OTEL_METRICS_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}, {"SLO_OTEL_DISABLED": "1"}]
)
def test_what_is_not_asked_for_is_not_looked_at(off: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is sent, no endpoint can be wrong."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")
    for name, text in off.items():
        monkeypatch.setenv(name, text)
    assert list(mistakes(plan())) == []


def test_a_missing_extra_is_a_mistake_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without grpcio http goes on, and gRPC says what to install."""
    monkeypatch.setitem(sys.modules, "slo_otel.export._grpc", None)
    assert list(mistakes(plan())) == []
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    (said,) = mistakes(plan())
    assert "pip install 'slo-otel[grpc]'" in said


def test_what_other_people_s_code_raises_is_said_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential provider that cannot be imported ends the server, and not the command that asks beforehand."""
    entry = EntryPoint("broken", "no.such.module:provider", "opentelemetry_otlp_credential_provider")
    monkeypatch.setattr("slo_otel.export._grpc.entry_points", lambda **_: (entry,))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER", "broken")
    assert list(mistakes(plan())) == ["ModuleNotFoundError: No module named 'no'"]


def test_it_starts_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """No thread, no handle, the environment as it was; detectors, which fail here with a line, are left out."""
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "no.such.detector")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://192.0.2.1:4318")
    before = dict(os.environ), set(threading.enumerate())
    assert list(mistakes(plan())) == []
    assert (dict(os.environ), set(threading.enumerate())) == before
    assert caplog.messages == []
    assert active() is None
