"""Long work gives way to others, and points that are made one by one are the same points."""

from __future__ import annotations

import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_otel import threads
from slo_otel.export import _paced
from slo_otel.export._paced import Points, paced


def _double(row: int) -> float:
    return row * 2.0


@given(st.lists(st.integers()), st.slices(20))
def test_points_are_those_of_their_rows(rows: list[int], part: slice) -> None:
    """Read one by one, by index or in part: as a tuple of them would be."""
    points, whole = Points(rows, _double), tuple(map(_double, rows))
    assert tuple(points) == tuple(points) == whole
    assert tuple(points[part]) == whole[part]
    assert [points[at] for at in range(len(points))] == list(whole)
    assert len(points[part]) == len(whole[part])


def test_a_point_is_made_when_it_is_read() -> None:
    """Ten thousand of them never exist together."""
    made: list[int] = []
    points = iter(Points((1, 2, 3), made.append))
    assert made == []
    next(points)
    assert made == [1]


def test_work_is_interrupted_once_a_slice_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every item comes once and in order, with a pause after each slice and none before."""
    now = 0.0
    pauses: list[float] = []
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    monkeypatch.setattr(threads, "sleep", lambda _: pauses.append(now))
    seen = []
    for item in paced(range(10)):
        seen.append(item)
        now += _paced.SLICE_SECONDS * 0.4
    assert seen == list(range(10))
    assert [round(at / _paced.SLICE_SECONDS, 1) for at in pauses] == [1.2, 2.4, 3.6]


def test_who_has_to_wait_for_long_works_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the time is ours where others keep the interpreter for 5 ms: a large export ends all the same."""
    now = ours = 0.0

    def sleep(_: float) -> None:
        nonlocal now
        now += 0.005

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    monkeypatch.setattr(threads, "sleep", sleep)
    for _ in paced(range(10_000)):
        now += 0.00002
        ours += 0.00002
    assert 0.18 < ours / now < 0.25


def test_another_thread_gets_the_interpreter_within_a_slice() -> None:
    """With a switch interval of a minute only our pauses let it run."""
    before = sys.getswitchinterval()
    turns: list[int] = []
    done = threading.Event()
    began = threading.Event()

    def other() -> None:
        began.set()
        while not done.is_set():
            turns.append(1)
            done.wait(0.0001)

    sys.setswitchinterval(60)
    try:
        thread = threading.Thread(target=other)
        thread.start()
        began.wait()
        for _ in paced(range(100_000)):
            pass
        done.set()
        thread.join()
    finally:
        sys.setswitchinterval(before)
    assert len(turns) > 10
