"""Collectors that take some requests and fail others in one way, by their number; what they take is handed on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

import grpc

from tests.stress import faulty, faulty_grpc
from tests.stress.faulty import Behaviour, Faulty, says
from tests.stress.faulty_grpc import Answering, GrpcCollector, fails

Take: TypeAlias = Callable[[bytes], object]
Failing: TypeAlias = Callable[[int], bool]
"""Whether the request with this number, from 1, fails."""
Unsteady: TypeAlias = Callable[[Take, Failing], AbstractContextManager[str]]
"""Gives the endpoint."""


def _http(fault: Behaviour) -> Unsteady:
    @contextmanager
    def running(take: Take, failing: Failing) -> Iterator[str]:
        def behave(connection: socket.socket, over: threading.Event) -> None:
            if failing(len(collector.bodies)):
                return fault(connection, over)
            take(collector.bodies[-1])
            return says("200 OK", "Content-Type: application/x-protobuf")(connection, over)

        with Faulty(behave) as collector:
            yield collector.endpoint

    return running


def _grpc(fault: Answering) -> Unsteady:
    @contextmanager
    def running(take: Take, failing: Failing) -> Iterator[str]:
        def behave(context: grpc.ServicerContext, over: threading.Event) -> bytes:
            if failing(len(collector.bodies)):
                return fault(context, over)
            take(collector.bodies[-1])
            return faulty_grpc.accepts(context, over)

        with GrpcCollector(behave) as collector:
            yield collector.endpoint

    return running


UNSTEADY: Mapping[tuple[str, str], Unsteady] = {
    ("http/protobuf", "503"): _http(says("503 Service Unavailable")),
    ("http/protobuf", "400"): _http(says("400 Bad Request")),
    ("http/protobuf", "resets"): _http(faulty.resets),
    ("http/protobuf", "hangs"): _http(faulty.hangs),
    ("grpc", "UNAVAILABLE"): _grpc(fails(grpc.StatusCode.UNAVAILABLE)),
    ("grpc", "INVALID_ARGUMENT"): _grpc(fails(grpc.StatusCode.INVALID_ARGUMENT)),
    ("grpc", "DATA_LOSS"): _grpc(fails(grpc.StatusCode.DATA_LOSS)),
    ("grpc", "hangs"): _grpc(faulty_grpc.hangs),
}
"""By protocol and fault."""
