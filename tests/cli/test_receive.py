"""`slo-otel receive` as a user starts it: real processes, real ports, both protocols."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

import slo_otel
from slo_otel.cli._receive import print_arrivals, receive_until_told, told_to_end
from slo_otel.receive import Receiver

COMMAND = (sys.executable, "-m", "slo_otel", "receive", "--port", "0", "--grpc-port", "0")
WITHOUT_GRPC = (
    *(sys.executable, "-c"),
    "import sys; sys.modules['grpc'] = None; from slo_otel.cli import main; sys.exit(main())",
    *COMMAND[3:],
)
POLICY = """\
version: slo/v1
service: shop
slos: [{name: checkout, sli: {success: checkout}, objective: 99%}]
"""
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


class Command:
    """A receiver in a process of its own that has said where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.said = self.lines(3)

    def endpoint(self, line: int) -> str:
        """The address in one of its first lines."""
        return self.said[line].split()[2]

    def lines(self, number: int) -> list[str]:
        """As many lines of what it prints next, without the time of day."""
        assert self._process.stdout is not None
        found = [self._process.stdout.readline().rstrip() for _ in range(number)]
        return [line[9:] if " export " in line else line.strip() for line in found]

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Its exit code, the rest of its output and its errors, after a signal."""
        self._process.send_signal(number)
        out, err = self._process.communicate(timeout=60)
        return self._process.returncode, out, err


@contextmanager
def receiving(command: tuple[str, ...] = COMMAND) -> Iterator[Command]:
    """The command on free ports."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Command(process)
        finally:
            process.kill()


def _body(value: int) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="slo.events")
    metric.sum.is_monotonic = True
    point = metric.sum.data_points.add(as_int=value, time_unix_nano=value)
    point.attributes.append(KeyValue(key="slo.name", value=AnyValue(string_value="checkout")))
    return request.SerializeToString()


def _over_http(command: Command, value: int) -> None:
    post = urllib.request.Request(f"{command.endpoint(0)}/v1/metrics", _body(value), method="POST")
    with urllib.request.urlopen(post, timeout=60) as answer:
        assert answer.status == 200


def _over_grpc(command: Command, value: int) -> None:
    with grpc.insecure_channel(command.endpoint(1).removeprefix("http://")) as channel:
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
        assert export(_body(value), timeout=60) == b""


Sending = Callable[[Command, int], None]


@pytest.mark.parametrize(
    "senders",
    [(_over_http,) * 3, (_over_grpc,) * 3, (_over_http, _over_grpc, _over_http)],
    ids=["http", "grpc", "both"],
)
def test_it_prints_what_a_collector_would_get(senders: tuple[Sending, ...]) -> None:
    """Each export is a line with the series that changed beneath it, the same over both protocols."""
    with receiving() as command:
        lines = []
        for send, (value, printed) in zip(senders, ((3, 2), (3, 1), (5, 2)), strict=True):
            send(command, value)
            lines += command.lines(printed)
        code, out, err = command.end()
    assert (code, err) == (0, "")
    assert lines == [
        "export 1: 1 series, 1 changed",
        "slo.events {slo.name=checkout} 3",
        "export 2: 1 series, 0 changed",
        "export 3: 1 series, 1 changed",
        "slo.events {slo.name=checkout} 5",
    ]
    assert "received 3 exports, 1 series" in out


@pytest.mark.parametrize(("protocol", "line"), [("http/protobuf", 0), ("grpc", 1)])
def test_a_service_is_seen_over_the_protocol_that_it_is_set_to(
    protocol: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What our own sender sends is printed, where the receiver's first lines say that this protocol goes."""
    (tmp_path / "slo.yaml").write_text(POLICY, encoding="utf-8")
    with receiving() as command:
        assert command.said[line].endswith(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", command.endpoint(line))
        handle = slo_otel.configure(tmp_path / "slo.yaml")
        with slo_otel.track("checkout"):
            pass
        assert handle.shutdown(timeout=60.0)
        code, out, err = command.end()
    assert (code, err) == (0, "")
    assert "slo.events {slo.name=checkout, slo.verdict=good} 1" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_it_is_told_to(number: int) -> None:
    """Ctrl-C and SIGTERM end it with exit code 0 and a count, also while clients keep their connections."""
    with receiving() as command:
        host, _, port = command.endpoint(0).removeprefix("http://").partition(":")
        channel = grpc.insecure_channel(command.endpoint(1).removeprefix("http://"))
        with socket.create_connection((host, int(port)), timeout=60), channel:
            grpc.channel_ready_future(channel).result(timeout=60)
            code, out, err = command.end(number)
    assert (code, out, err) == (0, "\nreceived 0 exports, 0 series\n", "")


def test_without_grpcio_it_says_in_one_line_how_to_get_it() -> None:
    """HTTP goes on, and the line in the place of gRPC's address is the one to run."""
    with receiving(WITHOUT_GRPC) as command:
        _over_http(command, 3)
        assert command.lines(2)[1] == "slo.events {slo.name=checkout} 3"
        code, _, err = command.end()
    assert (code, err) == (0, "")
    assert command.said[1].startswith("gRPC is off (")
    assert command.said[1].endswith(': pip install "slo-otel[grpc]"')


@pytest.mark.parametrize("door", ["--port", "--grpc-port"])
def test_a_port_that_is_taken_is_one_line_and_exit_2(door: str) -> None:
    """Whichever of the two it is, it is named with the system's reason, and no library writes beside it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = (*COMMAND, door, str(port))
        ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_an_address_that_is_not_ours_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    """One of another machine is told as such; 192.0.2.0/24 is nobody's (RFC 5737)."""
    assert receive_until_told("192.0.2.1", 0, 0) == 2
    assert capsys.readouterr().err.startswith("cannot listen on 192.0.2.1:0: ")


def test_what_arrived_before_the_end_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where it is told to end before it has looked."""
    with Receiver(grpc_port=0) as receiver:
        post = urllib.request.Request(f"{receiver.endpoint}/v1/metrics", _body(3), method="POST")
        urllib.request.urlopen(post, timeout=60).close()
        print_arrivals(receiver, [signal.SIGTERM])
    assert "slo.events {slo.name=checkout} 3" in capsys.readouterr().out


def test_the_second_signal_ends_it_whatever_it_waits_for() -> None:
    """The first one asks, so no lock is left behind; the second gets the system's own action."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with told_to_end() as told:
        assert told == []
        signal.raise_signal(signal.SIGTERM)
        assert told == [signal.SIGTERM]
        assert {signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)} == {signal.SIG_DFL}
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_ctrl_c_that_is_not_meant_for_it_is_ignored() -> None:
    """What a script started in the background ignores Ctrl-C, before, meanwhile and after."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with told_to_end() as told:
            signal.raise_signal(signal.SIGINT)
            assert told == []
            assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
