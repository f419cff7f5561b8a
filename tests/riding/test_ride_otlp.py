"""`OTEL_METRICS_EXPORTER=slo_otel`: the SDK makes the exporter, the launcher everything else."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter

from slo_otel.errors import ConfigurationError
from slo_otel.export import RideAlongOtlp, _ride_otlp, wanted
from slo_otel.receive import Receiver
from slo_otel.runtime._configure import start
from slo_otel.testing import ManualClock
from tests.auto.services import counted, serving
from tests.auto.shops import EXPECTED, SHOPS
from tests.runtime.samples import PLAN


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RideAlongOtlp]]:
    """Exporters that are shut down in the end."""
    found: list[RideAlongOtlp] = []
    yield found
    for each in found:
        each.shutdown()


def test_the_service_and_its_levels_arrive_together(tmp_path: Path) -> None:
    """Not a line of code: OpenTelemetry's own metrics of the requests and ours, of one instance, each once."""
    with Receiver() as receiver:
        with serving(
            tmp_path,
            SHOPS["fastapi"],
            "opentelemetry-instrument",
            receiver.endpoint,
            OTEL_METRICS_EXPORTER="slo_otel",
            OTEL_SERVICE_NAME="shop",
        ) as served:
            served.get()
            said = served.stop()
        assert counted(receiver) == EXPECTED
        # the SDK before 1.43 gives the service's own no instance id
        assert len({point.instance for point in receiver.points()} - {""}) == 1
        [theirs] = receiver.find("http.server.duration", http_target="/orders/{number}", http_status_code=200)
        assert theirs.value == 7
    assert "slo_otel:" not in said


@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({}, HttpExporter),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, GrpcExporter),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"},
            HttpExporter,
        ),
    ],
    ids=["default", "grpc", "of metrics"],
)
def test_the_protocol_of_the_environment_chooses_the_sdks_exporter(
    variables: dict[str, str], kind: type, made: list[RideAlongOtlp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the SDK's `otlp`, with the specification's default."""
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    made.append(RideAlongOtlp())
    assert type(made[0]._exporter) is kind


def test_options_are_the_wrapped_exporters(made: list[RideAlongOtlp]) -> None:
    """A configuration file gives them to whatever exporter it names."""
    made.append(RideAlongOtlp(protocol="http/protobuf", endpoint="http://127.0.0.1:9/v1/metrics"))
    assert isinstance(made[0]._exporter, HttpExporter)
    assert made[0]._exporter._endpoint == "http://127.0.0.1:9/v1/metrics"


def test_what_there_is_no_exporter_for_is_refused_with_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher logs it and runs the service without OpenTelemetry, as for its own exporters."""
    with pytest.raises(ConfigurationError, match="'http/json'; write http/protobuf or grpc"):
        RideAlongOtlp(protocol="http/json")

    def none(**_: str) -> EntryPoints:
        return EntryPoints(())

    monkeypatch.setattr(_ride_otlp, "entry_points", none)
    with pytest.raises(ConfigurationError, match="pip install opentelemetry-exporter-otlp-proto-grpc"):
        RideAlongOtlp(protocol="grpc")


def test_the_sdk_finds_it_by_its_name() -> None:
    """The entry point that the variable names."""
    found: tuple[EntryPoint, ...] = tuple(entry_points(group="opentelemetry_metrics_exporter", name="slo_otel"))
    assert [each.load() for each in found] == [RideAlongOtlp]


def test_where_no_sdk_reads_the_variable_our_own_loop_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """`configure()` in a process without the launcher, with the same environment."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "slo_otel")
    assert wanted()


def test_a_configuration_file_that_our_own_loop_does_not_read_is_no_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says where metrics go and how the file can say so."""
    assert wanted()
    assert caplog.records == []
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    assert wanted()
    assert "which sends to http://localhost:4318" in caplog.text
    assert "name the exporter slo_otel" in caplog.text


def test_with_an_exporter_in_the_file_there_is_nothing_to_say(
    made: list[RideAlongOtlp], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ours ride along in what the SDK made of the file."""
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    made.append(RideAlongOtlp())
    assert start(PLAN, clock=ManualClock()).running
    assert caplog.records == []
