"""The gate and the counters that use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from slo_otel.recorder import Counter
from slo_otel.recorder._gate import Gate

T = TypeVar("T")


@contextmanager
def inside(gate: Gate) -> Iterator[threading.RLock]:
    """Hold the gate as a fold does."""
    lock = gate.try_enter()
    assert lock is not None
    try:
        gate._inside = True
        yield lock
    finally:
        gate._inside = False
        lock.release()


def elsewhere(work: Callable[[], T]) -> T:
    """What `work` returns in another thread."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slo_otel.recorder._gate._WAIT_S", 0.01)


def test_whoever_only_tries_is_never_held_up() -> None:
    """A second entry returns at once, from the same thread and from another one."""
    gate = Gate()
    with inside(gate) as lock:
        assert gate.try_enter() is None
        assert elsewhere(gate.try_enter) is None
    assert gate.try_enter() is lock


def test_a_reader_does_not_wait_for_itself() -> None:
    """Entering from within, as a signal handler would, returns at once instead of never."""
    gate = Gate()
    with inside(gate) as lock:
        assert gate.enter() is None
    assert gate.enter() is lock


def test_a_whole_fold_fits_between_the_lock_and_the_fold_of_the_same_thread() -> None:
    """An interruption before the first step of a fold neither waits nor does harm."""
    gate = Gate()
    lock = gate.try_enter()
    assert lock is not None
    with inside(gate) as again:
        assert again is lock
    assert not gate._inside


def test_a_reader_waits_for_another_thread_that_folds() -> None:
    """The reader gets in when the other one leaves."""
    gate = Gate()
    waiting, found = threading.Event(), []

    def read() -> None:
        waiting.set()
        found.append(gate.enter())

    reader = threading.Thread(target=read)
    with inside(gate) as lock:
        reader.start()
        waiting.wait()
        assert found == []
    reader.join()
    assert found == [lock]


@pytest.mark.usefixtures("_impatient")
def test_a_reader_gives_up_on_a_thread_that_stays_inside() -> None:
    """A frozen fold holds nobody up for longer than the wait, and keeps its lock."""
    gate = Gate()
    with inside(gate) as lock:
        assert elsewhere(gate.enter) is None
        assert gate._lock is lock


@pytest.mark.usefixtures("_impatient")
def test_a_lock_that_was_lost_is_replaced() -> None:
    """An exception between taking the lock and the fold leaves it taken; the next reader gets in all the same."""
    gate = Gate()
    lost = gate.try_enter()
    fresh = elsewhere(gate.enter)
    assert fresh is not None
    assert fresh is not lost


@pytest.mark.usefixtures("_impatient")
def test_a_holder_that_was_only_slow_keeps_out_who_replaces_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets inside while the fresh lock is made, as it may without a GIL: two would commit the same values."""
    gate = Gate()
    slow = gate.try_enter()

    def meanwhile() -> threading.RLock:
        gate._inside = True
        return threading.RLock()

    monkeypatch.setattr("slo_otel.recorder._gate.RLock", meanwhile)
    assert elsewhere(gate.enter) is None
    assert gate._lock is not slow


def test_a_renewed_gate_is_open_whoever_was_inside() -> None:
    """The child of a fork does not inherit a lock that nobody will release."""
    gate = Gate()
    with inside(gate) as old:
        gate.renew()
        fresh = gate.try_enter()
        assert fresh is not None
        assert fresh is not old


def test_a_counter_counts_what_it_is_told() -> None:
    """`+=` and `add` are the same, and reading takes nothing away."""
    counter = Counter()
    same = counter
    for _ in range(3000):
        counter += 1
    counter.add(5)
    assert counter is same
    assert (counter.value, int(counter), repr(counter)) == (3005, 3005, "Counter(3005)")
    counter.restart()
    counter += 2
    assert counter.value == 2
