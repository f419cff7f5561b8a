"""The OTEL_* environment says whether, where and how to send; what cannot work is refused at set-up."""

from __future__ import annotations

import sys

import pytest

from slo_otel.errors import ConfigurationError
from slo_otel.export import InlineLane, Source, wanted
from slo_otel.export import _environment as environment
from slo_otel.export import _settings as settings
from tests.export.loops import looping, outgoing

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("variables", "sends"),
    [
        ({}, True),
        ({"OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_METRICS_EXPORTER": "none"}, False),
        ({"OTEL_METRICS_EXPORTER": "prometheus,otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "gRPC"}, True),
    ],
)
def test_the_environment_decides_whether_to_send(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sends: bool
) -> None:
    """The specification's switches work as the SDK's do; the default is to send."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wanted() is sends


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("OTEL_METRICS_EXPORTER", "prometheus", "otlp,prometheus or none"),
        ("OTEL_METRICS_EXPORTER", "console", "otlp,console or none"),
        ("OTEL_METRICS_EXPORTER", "oltp", "Did you mean otlp"),
        ("OTEL_METRICS_EXPORTER", "console,NOEN", "Did you mean none"),
        ("OTEL_METRICS_EXPORTER", "otlp_proto_htp", "Did you mean otlp_proto_http"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "15s", "milliseconds"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "milliseconds"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "²", "milliseconds"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "9" * 5_000, "milliseconds"),
    ],
)
def test_an_environment_that_cannot_work_is_refused_with_a_fix(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, fix: str
) -> None:
    """A mistake is raised when configuring, not logged every minute."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=fix):
        wanted() and environment.interval_ns()


def test_interval_and_patience_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliseconds for the interval, the exporter's own timeout (at most 30 s) for one export."""
    assert (environment.interval_ns(), environment.patience()) == (60 * SECOND, 5.0)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "250")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10000")
    assert (environment.interval_ns(), environment.patience()) == (SECOND // 4, 30.0)
    for no_time in ("soon", "0", "-1", "nan"):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", no_time)
        assert environment.patience() == 5.0


@pytest.mark.parametrize(
    ("written", "protocol", "used"),
    [
        ("otlp_proto_grpc", "", "grpc"),
        ("otlp_proto_http", "grpc", "http/protobuf"),  # which the launcher sets, unless the user did
        ("console, OTLP_PROTO_GRPC", "http/protobuf", "grpc"),
        ("otlp", "grpc", "grpc"),
        ("slo_otel", "grpc", "grpc"),
        ("otlp,otlp_proto_grpc", "", "http/protobuf"),
    ],
)
def test_the_sdks_names_of_its_exporters_say_the_protocol(
    monkeypatch: pytest.MonkeyPatch, written: str, protocol: str, used: str
) -> None:
    """The name wins over the variable, as in the SDK; the first of several."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", written)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    assert wanted()
    assert environment.protocol() == used
    assert environment.endpoint() == f"http://localhost:{4317 if used == 'grpc' else 4318}"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "gzip, deflate or none"),
        ({"OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER": "cloud"}, "exporter=OTLPMetricExporter"),
    ],
)
def test_what_the_environment_asks_and_we_do_not_have_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    """At set-up, with what to do instead."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said):
        wanted()


def test_what_the_environment_says_about_http_is_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable of the specification, the one for metrics first."""
    for name, value in {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:4318/base/",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-token=a%20b",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "7",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/me.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/me.key",
    }.items():
        monkeypatch.setenv(name, value)
    found = settings.http()
    assert (found.endpoint, found.timeout, found.compression) == ("http://all:4318/base/v1/metrics", 7.0, "gzip")
    assert (found.verify, found.cert) == ("/ca.pem", ("/me.pem", "/me.key"))
    assert found.headers.items() >= {"x-token": "a b", "content-encoding": "gzip"}.items()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics/v2")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none")
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_CLIENT_KEY")
    found = settings.http()
    assert (found.endpoint, found.compression, found.cert) == ("http://metrics/v2", "none", "/me.pem")
    assert "content-encoding" not in found.headers


@pytest.mark.parametrize(
    ("variables", "target", "secure"),
    [
        ({}, "localhost:4317", False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://host:4317"}, "host:4317", True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "HTTP://host:4317/ignored"}, "host:4317", False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:secret@host:4317"}, "host:4317", False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://h:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, "h:1", True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:1", "OTEL_EXPORTER_OTLP_INSECURE": "false"}, "h:1", False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "host:4317"}, "host:4317", True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "host:4317", "OTEL_EXPORTER_OTLP_INSECURE": "True"}, "host:4317", False),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1",
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "unix:///run/otel",
                "OTEL_EXPORTER_OTLP_INSECURE": "false",
                "OTEL_EXPORTER_OTLP_METRICS_INSECURE": "true",
            },
            "unix:///run/otel",
            False,
        ),
    ],
)
def test_a_grpc_endpoint_may_have_any_of_its_forms(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], target: str, secure: bool
) -> None:
    """A URL, whose scheme says whether by TLS; or gRPC's own, where OTEL_EXPORTER_OTLP_INSECURE does."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wanted()
    found = settings.grpc()
    assert (found.target, found.secure) == (target, secure)


def test_what_the_environment_says_about_grpc_is_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same variables as for HTTP, but a timeout, headers and files each by gRPC's own means."""
    for name, value in {
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_HEADERS": "X-Token=a%20b",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "7",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
    }.items():
        monkeypatch.setenv(name, value)
    found = settings.grpc()
    assert (found.metadata, found.timeout, found.gzip) == ((("x-token", "a b"),), 7.0, True)
    assert found.tls == settings.Tls("/ca.pem", "", "")
    assert environment.endpoint() == "http://localhost:4317"


@pytest.mark.parametrize(
    ("protocol", "name", "value", "said"),
    [
        ("grpc", "ENDPOINT", "http://", "http://localhost:4317"),
        ("grpc", "ENDPOINT", "grpc://host:4317", "http://localhost:4317"),
        ("grpc", "ENDPOINT", "http://host:port", "http://localhost:4317"),
        ("grpc", "COMPRESSION", "deflate", "write gzip or none"),
        ("grpc", "HEADERS", "x-name=%C3%A9", "header 'x-name' cannot be sent over grpc"),
        ("grpc", "HEADERS", "trace-bin=1", "header 'trace-bin' cannot be sent over grpc"),
        ("http/protobuf", "ENDPOINT", "host:4318", "http://localhost:4318"),
        ("http/protobuf", "ENDPOINT", "https://:4318", "http://localhost:4318"),
        ("http/protobuf", "ENDPOINT", "http://host:99999", "http://localhost:4318"),
        ("http/protobuf", "HEADERS", "x-name=a%0Ab", "header 'x-name' cannot be sent over http/protobuf"),
    ],
)
def test_what_a_protocol_cannot_carry_is_refused(
    monkeypatch: pytest.MonkeyPatch, protocol: str, name: str, value: str, said: str
) -> None:
    """At set-up, where each export would fail; a header's value is a secret and not shown."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    with pytest.raises(ConfigurationError, match=said) as raised:
        wanted()
    assert name != "HEADERS" or value.partition("=")[2] not in str(raised.value)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_password_in_an_endpoint_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    """The address is told without it, whether exports fail or the endpoint cannot be one."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@127.0.0.1:9")
    assert not looping(InlineLane()).flush(outgoing(1), 30.0)
    assert "no export to http://127.0.0.1:9 (Connection refused)" in caplog.text
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@127.0.0.1:none")
    with pytest.raises(ConfigurationError) as raised:
        wanted()
    assert "secret" not in caplog.text + str(raised.value)


def test_grpc_that_is_not_installed_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """At set-up, not at the first export."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.delitem(sys.modules, "slo_otel.export._grpc", raising=False)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ConfigurationError, match=r"\(grpc\): pip install 'slo-otel\[grpc\]'"):
        Source()
