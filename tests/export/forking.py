"""A process that forks while it exports over gRPC, and children that export themselves.

    python -m tests.export.forking FORKS

Every child makes a call of its own at once, as a service that uses gRPC may, then exports over a sender of its own,
and ends as a program does, through the interpreter's exit; one that hangs is killed by its alarm. Prints one JSON
object: how many children failed, the longest fork in seconds, how many exports of the parent arrived meanwhile, and
whether the last one, begun after the forks, did.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

import grpc
from opentelemetry.sdk.resources import Resource

from slo_otel.export import Translation, requests
from slo_otel.export._grpc import GrpcSender
from slo_otel.export._settings import grpc as settings
from tests.export.loops import outgoing
from tests.export.samples import BORN, PLAN
from tests.stress.faulty_grpc import METHOD

(_DATA,) = requests(Translation(PLAN, BORN).metrics(outgoing(1)), Resource({"service.name": "shop"}))
_SETTINGS = settings()


class Exporting:
    """Exports one after another, on a thread."""

    def __init__(self) -> None:
        self.sender = GrpcSender(_SETTINGS)
        self.arrived = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Exporting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self.arrived += send(self.sender)
            self._over.wait(0.001)


def send(sender: GrpcSender) -> bool:
    """Whether one export arrived."""
    return sender.send(_DATA, time.monotonic() + 20, patient=False) is None


def _call() -> None:
    options = (("grpc.use_local_subchannel_pool", 1),)
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes]
    with grpc.insecure_channel(_SETTINGS.target, options=options) as channel:
        call = channel.unary_unary(METHOD)
        call(b"", timeout=20)


def fork() -> tuple[float, bool]:
    """How long a fork took in the parent, and whether the child did its work."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        signal.alarm(150)
        _call()
        sys.exit(0 if send(GrpcSender(_SETTINGS)) else 1)
    took = time.monotonic() - began
    _, status = os.waitpid(child, 0)
    return took, status == 0


def main(forks: int) -> None:
    """Fork so many times, and say how it went."""
    with Exporting() as exporting:
        while not exporting.arrived:
            pass
        found = [fork() for _ in range(forks)]
        arrived = exporting.arrived
    told = {
        "failed": sum(not fine for _, fine in found),
        "longest": max(took for took, _ in found),
        "arrived": arrived,
        "last": send(exporting.sender),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
