"""The last event arrives, however a process ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slo_otel import names
from slo_otel.receive import Answer, Receiver
from slo_otel.runtime._exit_time import ExitTime
from tests.patience import reserved
from tests.runtime.processes import run, serving
from tests.runtime.samples import until

SCRIPT = """\
import atexit, sys, time
atexit.register(lambda: print(time.monotonic(), flush=True))  # the last hook to run
import slo_otel
handle = slo_otel.configure("slo.yaml")
for _ in range(3):
    with slo_otel.track("pay"):
        pass
{end}
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver for other processes."""
    with Receiver() as running:
        yield running


@pytest.fixture
def nobody() -> Iterator[Receiver]:
    """One that was closed, whose port nobody else gets meanwhile."""
    with reserved() as port:
        with Receiver(port) as closed:
            pass
        yield closed


def some_within(seconds: float, ends: Callable[[], float]) -> bool:
    """Whether one of a few ends took less: the machine's other work delays some, a wait of ours all."""
    return any(ends() < seconds for _ in range(5))


def _good(receiver: Receiver, slo: str) -> int:
    return receiver.counter(names.EVENTS, slo_name=slo, slo_verdict="good")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_uvicorn_stopped_by_a_signal_sends_its_last_event(
    tmp_path: Path, receiver: Receiver, sent: signal.Signals
) -> None:
    """uvicorn re-raises SIGTERM, so atexit never runs: the lifespan flushes."""
    with serving(tmp_path, receiver) as server:
        assert [server.get("/pay") for _ in range(5)] == [200] * 5
        assert receiver.requests == 0
        server.stop(sent)
    assert _good(receiver, "answered") == 5


def test_uvicorn_without_a_collector_stops_promptly(tmp_path: Path, nobody: Receiver) -> None:
    """A developer's Ctrl-C does not wait for a Collector that was never there."""

    def stops() -> float:
        with serving(tmp_path, nobody) as server:
            assert server.get("/pay") == 200
            began = time.monotonic()
            server.stop(signal.SIGINT)
            seconds = time.monotonic() - began
        assert len([line for line in server.lines if "no export to" in line]) == 1
        return seconds

    assert some_within(4.5, stops)  # a lifespan may wait for five


def test_two_workers_sum_exactly_and_say_process(tmp_path: Path, receiver: Receiver) -> None:
    """Each worker has an instance of its own, also where the environment gave both the same id."""
    attributes = "service.instance.id=pod-1"
    with serving(tmp_path, receiver, "--workers", "2", OTEL_RESOURCE_ATTRIBUTES=attributes) as server:
        server.wait(workers=2)
        for _ in range(40):
            assert server.get("/pay") == 200
        server.stop(signal.SIGTERM)
    assert _good(receiver, "answered") == 40
    assert len({point.instance for point in receiver.points()} - {"pod-1"}) == 2
    evaluated = [
        point for point in receiver.points() if point.name.startswith(("slo.sli", "slo.burn", "slo.window"))
    ]
    assert {point.attribute("slo.scope") for point in evaluated} <= {"process"}


@pytest.mark.parametrize("end", ["", "import os; os.kill(os.getpid(), 2)"])
def test_a_script_that_ends_sends_its_last_event(tmp_path: Path, receiver: Receiver, end: str) -> None:
    """The end of the file and a KeyboardInterrupt both pass through atexit."""
    done = run(SCRIPT.format(end=end), tmp_path, receiver)
    assert "Traceback" not in done.stderr or "KeyboardInterrupt" in done.stderr
    assert _good(receiver, "paid") == 3


END = "print(time.monotonic(), flush=True); sys.exit(7)"


def _took(printed: str) -> float:
    """Seconds from a script's last line to its last hook. What the interpreter then takes, the machine decides."""
    ended, left = map(float, printed.split())
    return left - ended


def test_an_exit_without_a_collector_does_not_wait(tmp_path: Path, nobody: Receiver) -> None:
    """One line says that nobody listens and one what is lost; the process ends at once, with its own exit code."""

    def ends() -> float:
        done = run(SCRIPT.format(end=END), tmp_path, nobody)
        seconds = _took(done.stdout)
        assert done.returncode == 7
        unheard, lost = done.stderr.splitlines()
        assert "no export to" in unheard
        assert "3 events" in lost
        return seconds

    assert some_within(2.0, ends)


def test_an_exit_with_a_hanging_collector_is_bounded(tmp_path: Path, receiver: Receiver) -> None:
    """Three seconds at most, and no traceback."""
    receiver.answer = Answer.HANG

    def ends() -> float:
        done = run(SCRIPT.format(end=END), tmp_path, receiver)
        seconds = _took(done.stdout)
        assert (done.returncode, "Traceback" in done.stderr) == (7, False)
        return seconds

    assert some_within(3.0 + 1.5, ends)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_collector_that_hung_before_holds_the_exit_a_second(
    tmp_path: Path, receiver: Receiver, sent: signal.Signals
) -> None:
    """One wait for all hooks: the lifespan's, and after Ctrl-C the interpreter's own."""
    receiver.answer = Answer.HANG
    often = {"OTEL_METRIC_EXPORT_INTERVAL": "200", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"}

    def stops() -> float:
        with serving(tmp_path, receiver, **often) as server:
            assert server.get("/pay") == 200
            assert until(lambda: any("no export to" in line for line in server.lines))
            began = time.monotonic()
            server.stop(sent)
            return time.monotonic() - began

    assert some_within(1.0 + 2.9, stops)  # two hooks that wait would make it four


def test_hooks_share_what_an_exit_may_wait() -> None:
    """What one waited in vain the next cannot; an export that arrives gives it all back."""
    failing = False
    asked: list[float] = []
    clock = ManualTime()

    def send(seconds: float) -> bool:
        asked.append(seconds)
        clock.now += seconds
        return arrives

    time_left = ExitTime(lambda: failing, clock.read)
    arrives = False
    assert not time_left.spend(send, 4.0)
    assert not time_left.spend(send, 3.0)
    assert not time_left.spend(send, 3.0)
    arrives = True
    assert time_left.spend(send, 3.0)
    failing = True
    assert time_left.spend(send, 3.0)
    arrives = False
    assert not time_left.spend(send, 3.0)
    assert not time_left.spend(send, 3.0)
    assert asked == [4.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]


class ManualTime:
    """Seconds that pass when told."""

    now = 0.0

    def read(self) -> float:
        """The time."""
        return self.now


def test_a_process_that_was_shut_down_exits_quietly(tmp_path: Path, receiver: Receiver) -> None:
    """The exit hook finds nothing to do, and does not send twice."""
    done = run(SCRIPT.format(end="assert handle.shutdown()"), tmp_path, receiver)
    assert (done.returncode, done.stderr) == (0, "")
    assert (_good(receiver, "paid"), receiver.requests) == (3, 1)


def test_a_disabled_process_sends_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """SLO_OTEL_DISABLED makes every call a no-op."""
    done = run(SCRIPT.format(end="assert handle.flush()"), tmp_path, receiver, SLO_OTEL_DISABLED="1")
    assert (done.returncode, receiver.requests) == (0, 0)


FORK = """\
import os
import slo_otel
handle = slo_otel.configure("slo.yaml")
def pay(times):
    for _ in range(times):
        with slo_otel.track("pay"):
            pass
pay(3)
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        pay(10)
        sent = handle.flush(30)
        assert handle.status().find("paid") is not None
        os._exit(0 if sent else 1)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
pay(1)
print(codes)
"""


def test_children_of_a_fork_count_for_themselves(tmp_path: Path, receiver: Receiver) -> None:
    """Two children and their parent are three writers; what was recorded before the fork is counted once."""
    done = run(FORK, tmp_path, receiver)
    assert done.stdout == "[0, 0]\n", done.stderr
    assert _good(receiver, "paid") == 3 + 2 * 10 + 1
    by_instance = {
        point.instance: point.value for point in receiver.find(names.EVENTS, slo_name="paid", slo_verdict="good")
    }
    assert sorted(by_instance.values()) == [4, 10, 10]


POOL = """\
import multiprocessing
import slo_otel
def pay(times):
    for _ in range(times):
        with slo_otel.track("pay"):
            pass
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    slo_otel.configure("slo.yaml")
    pay(1)
    process = context.Process(target=pay, args=(5,))
    process.start()
    process.join()
    with context.Pool(2) as pool:
        pool.map(pay, [2, 2, 2])
        pool.close()
        pool.join()
"""


def test_multiprocessing_children_send_their_last_event(tmp_path: Path, receiver: Receiver) -> None:
    """They end without atexit, after multiprocessing's own finalizers."""
    done = run(POOL, tmp_path, receiver)
    assert done.returncode == 0, done.stderr
    assert _good(receiver, "paid") == 1 + 5 + 6


HANG = """\
import os, threading
import slo_otel
handle = slo_otel.configure("slo.yaml")
with slo_otel.track("pay"):
    pass
flusher = threading.Thread(target=handle.flush, args=(1.0,))
flusher.start()
while not os.path.exists("arrived"):
    threading.Event().wait(0.01)
child = os.fork()
if not child:
    with slo_otel.track("pay"):
        pass
    while not os.path.exists("accepting"):
        threading.Event().wait(0.01)
    os._exit(0 if handle.flush(30) else 1)
open("forked", "w").close()
print(os.waitpid(child, 0)[1])
flusher.join()
"""


def test_a_fork_during_an_export_does_not_deadlock(tmp_path: Path, receiver: Receiver) -> None:
    """The child has fresh locks, a fresh thread and a fresh exporter while the parent's export hangs."""
    receiver.answer = Answer.HANG

    def watch() -> None:
        receiver.wait(1, 30)
        (tmp_path / "arrived").touch()
        while not (tmp_path / "forked").exists():
            threading.Event().wait(0.01)
        receiver.answer = Answer.ACCEPT  # what hung until now is refused: the child must not be among it
        (tmp_path / "accepting").touch()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    done = run(HANG, tmp_path, receiver)
    watcher.join(30)
    assert done.stdout == "0\n", done.stderr
    assert _good(receiver, "paid") == 2
