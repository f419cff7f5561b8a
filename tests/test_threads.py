"""Threads, events and locks of the system; tests/servers shows them under gevent."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

import pytest

from slo_otel import threads
from tests.runtime.samples import took, until

PACKAGE = Path(threads.__file__).parent
GREENLETS = {"slo_otel/instrumentation/_lifespan.py", "slo_otel/instrumentation/_context.py", "slo_otel/threads.py"}
"""An event loop's own affair, an event's own lock, and the module itself."""


def test_an_event_lets_everybody_go_however_often_it_is_set() -> None:
    """Those who wait, those who come later, and those who set it at the same time."""
    event = threads.Event()
    assert not event.is_set()
    assert not event.wait(0.0)
    assert not event.wait(-1.0)
    gone: list[bool] = []
    waiting = [threading.Thread(target=lambda: gone.append(event.wait())) for _ in range(8)]
    setting = [threading.Thread(target=event.set) for _ in range(8)]
    for thread in waiting + setting:
        thread.start()
    for thread in waiting + setting:
        thread.join(30.0)
    assert gone == [True] * 8
    assert event.is_set()
    assert event.wait(0.0)
    assert event.wait()


def test_waiting_for_an_event_ends_in_time() -> None:
    """A timeout is kept, and one beyond what a lock can wait for is no error."""
    event = threads.Event()
    assert took(lambda: event.wait(0.05)) >= 0.05
    threading.Timer(0.05, event.set).start()
    assert event.wait(float("inf"))


def test_a_thread_is_joined_when_it_has_ended_and_not_by_itself() -> None:
    """`join` waits for the end, for a while, and says nothing about a thread that was never started."""
    go, joined = threads.Event(), threads.Event()

    def work() -> None:
        thread.join(60.0)
        joined.set()
        go.wait()

    thread = threads.Thread(work, name="slo-otel-test")
    assert not thread.is_alive()
    thread.join(60.0)
    thread.start()
    assert joined.wait(30.0)
    assert "slo-otel-test" in {one.name for one in threading.enumerate()}
    assert took(lambda: thread.join(0.05)) < 5.0
    assert thread.is_alive()
    go.set()
    thread.join(30.0)
    assert not thread.is_alive()
    assert until(lambda: "slo-otel-test" not in {one.name for one in threading.enumerate()})


def test_a_thread_that_raises_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for its end is told, whatever it came from."""
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)

    def fail() -> None:
        raise OSError

    thread = threads.Thread(fail, name="slo-otel-test")
    thread.start()
    thread.join(30.0)
    assert not thread.is_alive()


def _waits(path: Path) -> list[str]:
    """What a module takes of the standard library's threads and sleeps."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in {"threading", "queue", "_thread"}:
            found += [name.name for name in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found += [node.attr] if (node.value.id, node.attr) in _REPLACED else []
    return found


_REPLACED = {("threading", name) for name in ("Lock", "RLock", "Event", "Thread")} | {("time", "sleep")}


@pytest.mark.parametrize("stage", ["recorder", "ledger", "export", "instrumentation", "runtime"])
def test_what_runs_beside_an_application_takes_its_threads_from_here(stage: str) -> None:
    """`threading` gives greenlets under gevent: a lock, an event or a sleep of theirs may hang a thread of ours."""
    paths = [path for path in (PACKAGE / stage).rglob("*.py") if _name(path) not in GREENLETS]
    assert {_name(path): found for path in paths if (found := _waits(path))} == {}


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))
