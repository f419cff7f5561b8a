"""Requests have a size that servers take: a megabyte at most, and less where one says that it is too much."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from slo_otel.export import Outgoing, Own, ThreadLane
from slo_otel.export._sender import MOST_BYTES
from tests.export.added import Added, whole
from tests.export.loops import looping, outgoing
from tests.export.samples import LIMITS, cell, request, snapshot
from tests.export.unsteady import Take
from tests.stress.faulty import Faulty, says
from tests.stress.faulty_grpc import GrpcCollector


@contextmanager
def _http(take: Take, limit: int) -> Iterator[str]:
    """As nginx does it."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        if len(collector.bodies[-1]) > limit:
            return says("413 Request Entity Too Large")(connection, over)
        take(collector.bodies[-1])
        return says("200 OK")(connection, over)

    with Faulty(behave) as collector:
        yield collector.endpoint


@contextmanager
def _grpc(take: Take, limit: int) -> Iterator[str]:
    """The server's own limit."""
    with GrpcCollector(take=take, options=[("grpc.max_receive_message_length", limit)]) as collector:
        yield collector.endpoint


LIMITED: Mapping[str, Callable[[Take, int], AbstractContextManager[str]]] = {"http/protobuf": _http, "grpc": _grpc}
DEFAULT = 4 * 1024 * 1024
"""Bytes that a gRPC server takes unless told otherwise."""


def _regions(number: int, characters: int = 2) -> Outgoing:
    """As many regions, each with a name of so many characters of two bytes, and one failure."""
    cells = [
        cell(request(500, attributes=(("region", f"{at}".ljust(characters, "é")),)), [0.1]) for at in range(number)
    ]
    return Outgoing(snapshot(*cells), None, Own(LIMITS, 0, 0))


@pytest.fixture(params=LIMITED)
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Over which the environment says to send."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", request.param)
    return str(request.param)


def _flushed(monkeypatch: pytest.MonkeyPatch, endpoint: str, outgoing: Outgoing) -> bool:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    exports = looping(ThreadLane())
    try:
        return exports.flush(outgoing, 30.0)
    finally:
        exports.shutdown(outgoing, 0.0)


@pytest.mark.parametrize(("limit", "characters"), [(DEFAULT, 1000), (100_000, 2)])
def test_what_is_too_large_arrives_in_parts(
    protocol: str, monkeypatch: pytest.MonkeyPatch, limit: int, characters: int
) -> None:
    """By our own limit, which long values exceed with the usual number of points, and by the other side's."""
    added, sent = Added(), _regions(400, characters)
    with LIMITED[protocol](added.take, limit) as endpoint:
        assert _flushed(monkeypatch, endpoint, sent)
    assert added.counts() == whole(sent)
    assert added.requests > 2
    assert limit / 8 < added.largest <= min(limit, MOST_BYTES)


def test_a_point_that_is_too_large_is_a_failed_export(
    protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It cannot be divided, so the other side's word is the last one; what came before it has arrived."""
    added = Added()
    with LIMITED[protocol](added.take, 400) as endpoint:
        assert not _flushed(monkeypatch, endpoint, outgoing(1))
    (line,) = [record.getMessage() for record in caplog.records if record.name == "slo_otel"]
    assert re.search("Too Large|larger than max", line)
    assert added.requests > 0


def test_a_grpc_server_takes_ten_thousand_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit that it has by default; in one request they would be refused."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    added, sent = Added(), _regions(3_400, 200)
    with GrpcCollector(take=added.take) as collector:
        assert _flushed(monkeypatch, collector.endpoint, sent)
        assert sum(map(len, collector.bodies)) > DEFAULT
    found = added.counts()
    assert found == whole(sent)
    assert sum(dict(series[1])["slo.name"] == "by-region" for series in found) == 3_400
