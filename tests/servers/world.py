"""A server of the matrix as a process: started, asked, ended; and what of its events arrived."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from slo_otel import names
from slo_otel.receive import Receiver
from tests.runtime.processes import environment
from tests.runtime.samples import until
from tests.servers.cells import Cell, End

REQUESTS: Final = 20
APPS: Final = Path(__file__).parent / "apps"
PATIENCE: Final = 60.0
"""Seconds that a server may take to start or to end, on a busy machine."""
_MISSED: Final = 10.0
"""Seconds after which a process that has not ended is told again."""

# A job in the background of a script ignores SIGQUIT, and so would every server that the tests start.
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

Told = Counter[tuple[int, int]]
"""How many processes had so many (requests, boots); none that had neither."""


class Service:
    """A running server, and what its clients and its own notes say happened in which process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, folder: Path, *, patient: bool) -> None:
        self.process = process
        self._patient = patient
        self.answered: Counter[int] = Counter()
        """How many requests each process answered."""
        self._port = port
        self._folder = folder

    def listens(self) -> bool:
        """Whether it accepts connections. Raises `AssertionError` with its log when it ended."""
        assert self.process.poll() is None, self.log()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def log(self) -> str:
        """What it printed."""
        return (self._folder / "log").read_text(errors="replace")

    def get(self) -> int:
        """One request, and where workers come and go another one for each that was closed unserved."""
        while True:
            try:
                return self._get()
            except (ConnectionError, http.client.BadStatusLine):
                if not self._patient:
                    raise

    def _get(self) -> int:
        """The process that answered a request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, (answer.status, body, self.log())
        return int(body)

    def ask(self, times: int, *, at_once: int) -> None:
        """So many requests, some at once, so that every worker gets its share."""
        with ThreadPoolExecutor(at_once) as pool:
            self.answered.update(pool.map(lambda _: self.get(), range(times)))

    def serve_all(self, workers: int) -> None:
        """Ask until every worker that is there has answered: one that still boots might not hear its end."""

        def answered() -> bool:
            self.ask(4, at_once=4)
            known = {pid for pid in self._noted("boots") | self.answered if _lives(pid)}
            there = known if self.process.pid in self.answered else known - {self.process.pid}
            return len(there) >= workers and there <= self.answered.keys()

        assert until(answered, PATIENCE), self.log()

    def recycle(self) -> None:
        """Ask until a worker that had answered is gone."""

        def gone() -> bool:
            self.ask(1, at_once=1)
            return not all(map(_lives, self.answered))

        assert until(gone, PATIENCE), self.log()

    def hang(self) -> None:
        """A request that is not answered, and is being served when this returns."""
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            connection.request("GET", "/stuck")
            threading.Thread(target=_drop, args=(connection,), daemon=True).start()
        assert until((self._folder / "stuck").exists, PATIENCE), self.log()

    def end(self, sent: signal.Signals, *, again: bool) -> float:
        """Signal the main process, and wait for it and for its workers; the seconds it took.

        `again` says it once more where a worker has missed it.
        """
        began = time.monotonic()
        self.process.send_signal(sent)
        if again:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_MISSED)
            self.process.send_signal(sent)  # does nothing to a process that has ended
        self.process.wait(PATIENCE)
        assert until(lambda: not _group_lives(self.process.pid), PATIENCE), self.log()
        return time.monotonic() - began

    def expected(self, *, stuck: bool) -> Told:
        """What each process had to tell; `stuck` counts the request that was never answered."""
        requests = self.answered + (self._noted("stuck") if stuck else Counter())
        boots = self._noted("boots")
        return told({pid: (requests[pid], boots[pid]) for pid in requests.keys() | boots.keys()})

    def _noted(self, file: str) -> Counter[int]:
        return noted(self._folder / file)


def noted(file: Path) -> Counter[int]:
    """How often each process has written its id into a file."""
    return Counter(map(int, file.read_text().split())) if file.exists() else Counter()


def _drop(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError, http.client.HTTPException):
        connection.getresponse().read()
    connection.close()


def _lives(process: int) -> bool:
    """Whether it runs: not one that has ended and was not waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _group_lives(group: int) -> bool:
    """Whether a process of the server's own process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def told(of_each: Mapping[int, tuple[int, int]] | Mapping[str, tuple[int, int]]) -> Told:
    """Requests and boots of each process, without its name: two sides name it differently."""
    return Counter(pair for pair in of_each.values() if any(pair))


def arrived(receiver: Receiver) -> Told:
    """What the last points of each instance say."""
    found: dict[str, tuple[int, int]] = {}
    for point in receiver.find(names.EVENTS):
        requests, boots = found.get(point.instance, (0, 0))
        match point.attribute("slo.name"):
            case "booted":
                boots += int(point.value)
            case _:
                requests += int(point.value)
        found[point.instance] = (requests, boots)
    return told(found)


def total(of_all: Told) -> tuple[int, int]:
    """Requests and boots of all processes together."""
    return sum(pair[0] * n for pair, n in of_all.items()), sum(pair[1] * n for pair, n in of_all.items())


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(cell: Cell, folder: Path, receiver: Receiver) -> Iterator[Service]:
    """The cell's server, listening; its whole process group is killed where a test leaves it running."""
    (folder / "slo.yaml").write_text((APPS / "slo.yaml").read_text())
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # SIGQUIT's
    port = free_port()
    program, *arguments = (word.format(port=port) for word in cell.command)
    variables = dict(environment(receiver, **dict(cell.variables)))
    variables["PYTHONPATH"] = os.pathsep.join((str(APPS), variables["PYTHONPATH"]))
    # uvicorn's supervisor waits so long for a word of a worker that has just ended, and replaces none meanwhile.
    variables |= {"UVICORN_TIMEOUT_WORKER_HEALTHCHECK": "5"} if cell.end is End.RECYCLE else {}
    with (folder / "log").open("wb") as log:
        command = [str(Path(sys.executable).with_name(program)), *arguments]
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True
        )
    try:
        service = Service(process, port, folder, patient=cell.end in (End.RECYCLE, End.RELOAD))
        assert until(service.listens, PATIENCE), service.log()
        yield service
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its own session: the server and its workers, nobody else
        process.wait(10)


_SENT: Final = {
    End.INT: signal.SIGINT,
    End.QUIT: signal.SIGQUIT,
    End.HANG_QUIT: signal.SIGQUIT,
    End.KILL: signal.SIGKILL,
}
"""SIGTERM for the others."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one cell did."""

    expected: Told
    arrived: Told
    seconds: float
    log: str

    def of_those_that_served(self) -> Seen:
        """Without workers that never answered: one that is told to stop while it imports has no hooks yet."""
        expected, found = (
            Counter({pair: times for pair, times in of_all.items() if pair[0]})
            for of_all in (self.expected, self.arrived)
        )
        return replace(self, expected=expected, arrived=found)


def play(cell: Cell, folder: Path, receiver: Receiver) -> Seen:
    """Start the cell's server, ask it, end it."""
    with serving(cell, folder, receiver) as service:
        service.ask(REQUESTS, at_once=4)
        if cell.end is End.RECYCLE:
            service.recycle()
        if cell.end is not End.RECYCLE or cell.command[0] == "uwsgi":  # whose new workers do not hear a gentle end
            service.serve_all(cell.workers)
        if cell.end in (End.ABORT, End.HANG, End.HANG_QUIT):
            service.hang()
        if cell.end is End.ABORT:
            service.ask(1, at_once=1)
        if cell.end is End.RELOAD:
            _reload(service)
            service.serve_all(cell.workers)
        again = cell.command[0] == "uwsgi"  # whose workers may miss an end, with or without us
        seconds = service.end(_SENT.get(cell.end, signal.SIGTERM), again=again)
        seen = Seen(service.expected(stuck=cell.end is End.ABORT), arrived(receiver), seconds, service.log())
        return seen.of_those_that_served() if cell.end is End.RECYCLE else seen


def _reload(service: Service) -> None:
    old = set(service.answered)
    service.process.send_signal(signal.SIGHUP)

    def renewed() -> bool:
        service.ask(1, at_once=1)
        return not set(list(service.answered)[-1:]) & old

    assert until(renewed, PATIENCE), service.log()
