"""SIGTERM ends a process by its default action, without any hook; the opt-in handler sends what is left first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import slo_otel
from slo_otel import names
from slo_otel.receive import Answer, Receiver
from slo_otel.runtime import _sigterm
from tests.runtime.processes import POLICY, run

SCRIPT = """\
import os, signal, sys
import slo_otel
{before}
handle = slo_otel.configure("slo.yaml")
for _ in range(3):
    with slo_otel.track("pay"):
        pass
os.kill(os.getpid(), signal.SIGTERM)
signal.pause()
"""
OPT_IN = {"SLO_OTEL_SIGTERM": "1"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver for other processes."""
    with Receiver() as running:
        yield running


def _paid(receiver: Receiver) -> int:
    return receiver.counter(names.EVENTS, slo_name="paid", slo_verdict="good")


def test_without_it_sigterm_loses_the_last_interval(tmp_path: Path, receiver: Receiver) -> None:
    """The default action runs no Python: nothing is sent, and nothing is said to be."""
    assert run(SCRIPT.format(before=""), tmp_path, receiver).returncode == -signal.SIGTERM
    assert _paid(receiver) == 0


def test_with_it_the_last_interval_arrives_and_the_process_ends_as_before(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Whoever waits for the process still learns that SIGTERM ended it."""
    done = run(SCRIPT.format(before=""), tmp_path, receiver, **OPT_IN)
    assert (done.returncode, done.stderr, _paid(receiver)) == (-signal.SIGTERM, "", 3)


def test_a_handler_that_was_there_decides_how_the_process_ends(tmp_path: Path, receiver: Receiver) -> None:
    """It is called after ours, with the signal, and may do as it likes."""
    before = "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))"
    done = run(SCRIPT.format(before=before), tmp_path, receiver, **OPT_IN)
    assert (done.returncode, done.stderr, _paid(receiver)) == (signal.SIGTERM, "", 3)


def test_a_process_that_ignores_sigterm_goes_on_ignoring_it(tmp_path: Path, receiver: Receiver) -> None:
    """The handler is for processes that SIGTERM ends; this one ends by itself."""
    script = SCRIPT.replace("signal.pause()", "print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)")
    done = run(script.format(before="signal.signal(signal.SIGTERM, signal.SIG_IGN)"), tmp_path, receiver, **OPT_IN)
    assert (done.returncode, done.stdout, _paid(receiver)) == (0, "True\n", 3)


BETWEEN = """\
import os, signal
import slo_otel
handle = slo_otel.configure("slo.yaml")
for _ in range(3):
    with slo_otel.track("pay"):
        pass
driver = handle._runtime._driver
shutdown = driver.shutdown
def terminated(timeout):
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    return shutdown(timeout)
driver.shutdown = terminated
"""


def test_sigterm_does_not_cut_an_exit_off(tmp_path: Path, receiver: Receiver) -> None:
    """A pool terminates workers that are ending already: the export is finished, then the signal acts."""
    done = run(BETWEEN, tmp_path, receiver, **OPT_IN)
    assert (done.returncode, done.stderr, _paid(receiver)) == (-signal.SIGTERM, "", 3)


def test_a_collector_that_hangs_does_not_keep_the_process(tmp_path: Path, receiver: Receiver) -> None:
    """The handler waits as long as any other exit hook, then the default action ends the process."""
    receiver.answer = Answer.HANG
    done = run(SCRIPT.format(before=""), tmp_path, receiver, **OPT_IN)
    assert (done.returncode, _paid(receiver)) == (-signal.SIGTERM, 0)
    assert "3 events of instance" in done.stderr


def test_another_thread_cannot_set_it_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Python sets handlers in the main thread only: `configure` says that instead of half working."""
    monkeypatch.setenv("SLO_OTEL_SIGTERM", "1")
    (tmp_path / "slo.yaml").write_text(POLICY)
    raised: list[Exception] = []

    def configure() -> None:
        try:
            slo_otel.configure(tmp_path / "slo.yaml")
        except slo_otel.ConfigurationError as fault:
            raised.append(fault)

    thread = threading.Thread(target=configure)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])


def test_a_handler_that_is_not_pythons_stays(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What a server handles in its own code cannot be called from here, so it is not replaced; one line says so."""
    monkeypatch.setenv("SLO_OTEL_SIGTERM", "1")
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        _sigterm.attach(lambda: None, _sigterm.Exit())
        assert signal.signal(signal.SIGTERM, before) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(caplog.records) == 1
