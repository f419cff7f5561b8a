"""TLS to a Collector that asks for a certificate, over HTTP and gRPC: the files, and every mistake with them."""

from __future__ import annotations

import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
import trustme

from slo_otel.errors import ConfigurationError
from slo_otel.export import InlineLane, ThreadLane, wanted
from tests.export.authority import Authority
from tests.export.loops import looping, outgoing, took
from tests.stress.faulty_grpc import GrpcCollector

Serving = Callable[[Authority], AbstractContextManager[str]]
"""A Collector that requires a client's certificate of this authority; gives its endpoint."""


@contextmanager
def _http(authority: Authority) -> Iterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*authority.server)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that failed."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 30

    def do_POST(self) -> None:
        """Take everything."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nothing."""


@contextmanager
def _grpc(authority: Authority) -> Iterator[str]:
    certificate, key = (file.read_bytes() for file in authority.server)
    credentials = grpc.ssl_server_credentials([(key, certificate)], authority.file.read_bytes(), True)
    with GrpcCollector(credentials=credentials) as collector:
        yield collector.endpoint


PROTOCOLS: Mapping[str, Serving] = {"http/protobuf": _http, "grpc": _grpc}


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Over which the environment says to send."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", request.param)
    return str(request.param)


def _set(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def _flushed(monkeypatch: pytest.MonkeyPatch, endpoint: str, environment: Mapping[str, str]) -> bool:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    _set(monkeypatch, environment)
    assert wanted()
    exports = looping(ThreadLane())
    try:
        return exports.flush(outgoing(1), 60.0)
    finally:
        exports.shutdown(outgoing(1, 61), 0.5)


def test_both_sides_are_who_they_say(protocol: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the authority's certificate and one of our own an export arrives, by either name of the variables."""
    ours = Authority(tmp_path)
    with PROTOCOLS[protocol](ours) as endpoint:
        assert _flushed(monkeypatch, endpoint, ours.environment())
        for name, value in ours.environment().items():
            monkeypatch.setenv(name, str(tmp_path / "nowhere.pem"))
            monkeypatch.setenv(name.replace("OTLP_", "OTLP_METRICS_"), value)
        assert _flushed(monkeypatch, endpoint, {})


def test_one_file_may_hold_certificate_and_key(
    protocol: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As many tools write it."""
    ours = Authority(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(file.read_bytes() for file in ours.client))
    environment = {**ours.environment(client=False), "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(both)}
    with PROTOCOLS[protocol](ours) as endpoint:
        assert _flushed(monkeypatch, endpoint, environment)


@pytest.mark.parametrize("foreign", ["authority", "client", "nobody"])
def test_who_is_not_trusted_costs_one_clear_line(
    protocol: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    foreign: str,
) -> None:
    """A wrong authority, a certificate of another one, or none: False at once, and one line."""
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    environment: Mapping[str, str] = {
        "authority": {**ours.environment(), "OTEL_EXPORTER_OTLP_CERTIFICATE": str(theirs.file)},
        "client": {**theirs.environment(), "OTEL_EXPORTER_OTLP_CERTIFICATE": str(ours.file)},
        "nobody": ours.environment(client=False),
    }[foreign]
    with PROTOCOLS[protocol](ours) as endpoint:
        assert took(lambda: _fails(monkeypatch, endpoint, environment)) < 20.0
    (line,) = [record.getMessage() for record in caplog.records if record.name == "slo_otel"]
    assert line.startswith(f"slo_otel: no export to {endpoint} (")
    assert len(line) < 250
    assert "HTTPSConnectionPool" not in line
    if foreign == "authority":
        assert "certificate verify failed" in line.lower().replace("_", " ")


def _fails(monkeypatch: pytest.MonkeyPatch, endpoint: str, environment: Mapping[str, str]) -> None:
    assert not _flushed(monkeypatch, endpoint, environment)


def test_a_library_adds_no_line_of_its_own(protocol: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever gRPC's core would write of a handshake: on stderr is our warning and nothing else."""
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    with PROTOCOLS[protocol](ours) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        _set(monkeypatch, theirs.environment())
        ended = subprocess.run(
            [sys.executable, "-c", _FLUSHING], cwd=ROOT, capture_output=True, text=True, check=True
        )
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"slo_otel: no export to {endpoint} (")


ROOT = Path(__file__).resolve().parents[2]
_FLUSHING = """
from slo_otel.export import ThreadLane
from tests.export.loops import looping, outgoing
exports = looping(ThreadLane())
exports.flush(outgoing(1), 20.0)
exports.flush(outgoing(1), 20.0)
"""
MISTAKES: Mapping[str, tuple[Mapping[str, str], str]] = {
    "no such authority": (
        {"CERTIFICATE": "nowhere.pem"},
        "OTLP_CERTIFICATE=.*nowhere.pem' cannot be read",
    ),
    "no such client": ({"CLIENT_CERTIFICATE": "nowhere.pem"}, "CLIENT_CERTIFICATE=.*cannot be read: No such"),
    "no such key": (
        {"CLIENT_CERTIFICATE": "client.pem", "CLIENT_KEY": "nowhere.key"},
        "CLIENT_KEY=.*cannot be read",
    ),
    "a key alone": ({"CLIENT_KEY": "client.key"}, "needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
    "no key at all": ({"CLIENT_CERTIFICATE": "client.pem"}, "are no pair in PEM"),
    "another's key": ({"CLIENT_CERTIFICATE": "client.pem", "CLIENT_KEY": "server.key"}, "are no pair in PEM"),
    "no certificate": ({"CERTIFICATE": "words.pem"}, "OTLP_CERTIFICATE=.*holds no certificate in PEM"),
    "a locked key": ({"CLIENT_CERTIFICATE": "client.pem", "CLIENT_KEY": "locked.key"}, "CLIENT_KEY=.*is encrypted"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_files_that_cannot_work_are_refused_at_set_up(
    protocol: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mistake: str
) -> None:
    """Each is named with its variable, where TLS is used at all."""
    Authority(tmp_path)
    (tmp_path / "words.pem").write_text("hello")
    (tmp_path / "locked.key").write_text(_LOCKED)
    files, said = MISTAKES[mistake]
    _set(monkeypatch, {f"OTEL_EXPORTER_OTLP_{name}": str(tmp_path / file) for name, file in files.items()})
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:4317")
    with pytest.raises(ConfigurationError, match=said):
        wanted()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    assert wanted()


def test_files_that_vanish_later_are_a_failed_export(
    protocol: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not a fault of ours: it is told once, and certificates that come back are read anew."""
    ours = Authority(tmp_path)
    with PROTOCOLS[protocol](ours) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        _set(monkeypatch, ours.environment())
        exports = looping(InlineLane())
        authority = ours.file.read_bytes()
        ours.file.unlink()
        assert not exports.flush(outgoing(1), 30.0)
        ours.file.write_bytes(authority)
        assert exports.flush(outgoing(1), 30.0)
        exports.shutdown(outgoing(1, 61), 0.5)
    assert len([record for record in caplog.records if "no export to" in record.getMessage()]) == 1


def _locked() -> str:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    plain = trustme.CA().issue_cert("service@shop").private_key_pem.bytes()
    key = load_pem_private_key(plain, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")).decode()


_LOCKED = _locked()
