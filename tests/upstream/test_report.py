"""What `make upstream` prints at the end, and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from upstream import __main__ as command
from upstream.__main__ import Pair, asked, judged_twice, report
from upstream.runs import BARE, OURS, Case, Process, Run
from upstream.suites import Suite

SUITE = Suite("demo", "1.0", "", ("tests",), (), (), ())
SOUND = Process(opened=1, recorded=1, exported=1, flushed=True, faults={})
BARE_RUN = Run({"t.py::a": Case("passed"), "t.py::b": Case("failed", "as root")}, 5.0)
SEEN = Case("passed", "", 1, 1, 1)


def test_suites_that_agree_end_well(capsys: pytest.CaptureFixture[str]) -> None:
    """A table with both sides, and what fails on this machine anyway by name; no fault is found in it."""
    ours = Run({"t.py::a": SEEN, "t.py::b": Case("failed", "as root")}, 6.0, (SOUND,))
    assert report([Pair(SUITE, BARE_RUN, ours)], sys.executable) == 0
    said = capsys.readouterr().out
    assert [line.split()[:2] for line in said.splitlines()[1:3]] == [["demo-1.0", "bare"], ["demo-1.0", "ours"]]
    assert "demo-1.0: 2 tests of 2 end alike, each request is one event" in said
    assert "fail on this machine without us, and alike with us:\n  t.py::b: as root" in said


def test_a_difference_is_named_with_how_to_run_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a test, and a command that can be pasted, on the interpreter that was asked for."""
    ours = Run({"t.py::a": Case("failed", "E   boom"), "t.py::b": SEEN}, 6.0, (SOUND,))
    assert report([Pair(SUITE, BARE_RUN, ours), Pair(SUITE, BARE_RUN, ours)], "python3.13") == 2
    said = capsys.readouterr().out
    assert "  t.py::a: passed -> failed E   boom\n" in said
    assert "python -m upstream --suite demo --python python3.13 't.py::a'\n" in said


def _playing(monkeypatch: pytest.MonkeyPatch, *outcomes: tuple[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    """The suite's one test ends as given, first run and second, bare and ours; the runs that were asked for."""
    asked_for: list[tuple[str, tuple[str, ...]]] = []
    left = {BARE: [bare for bare, _ in outcomes], OURS: [ours for _, ours in outcomes]}

    def run(suite: Suite, variant: str, python: Path, only: Sequence[str], workers: int) -> Run:
        asked_for.append((variant, tuple(only)))
        case = Case(left[variant].pop(0), "", 1, 1, 1) if variant == OURS else Case(left[variant].pop(0))
        return Run({"t.py::a": case}, 1.0, (SOUND,) if variant == OURS else ())

    monkeypatch.setattr(command, "run", run)
    return asked_for


def test_what_differs_by_chance_is_asked_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of theirs that fails on one side once is no finding; its requests are counted as in the first run."""
    asked_for = _playing(monkeypatch, ("passed", "failed"), ("passed", "passed"))
    pair = judged_twice(SUITE, Path("python"), [])
    assert asked_for == [(BARE, ()), (OURS, ()), (BARE, ("t.py::a",)), (OURS, ("t.py::a",))]
    assert report([pair], sys.executable) == 0


def test_what_depends_on_us_does_so_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run hides no fault of ours."""
    _playing(monkeypatch, ("passed", "failed"), ("passed", "failed"))
    assert report([judged_twice(SUITE, Path("python"), [])], sys.executable) == 1


def test_what_ends_alike_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does what somebody asked for by name."""
    asked_for = _playing(monkeypatch, ("passed", "passed"), ("passed", "failed"))
    judged_twice(SUITE, Path("python"), [])
    judged_twice(SUITE, Path("python"), ["t.py::a"])
    assert len(asked_for) == 4


def test_wrong_counts_fail_though_every_test_ends_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """A middleware that is not there lets every test pass."""
    assert report([Pair(SUITE, BARE_RUN, BARE_RUN)], sys.executable) == 1
    said = capsys.readouterr().out
    assert "our own counts are wrong\n  nothing was counted" in said
    assert "end alike," not in said


def test_single_tests_need_their_suite(capsys: pytest.CaptureFixture[str]) -> None:
    """Both suites have a directory `tests`: an id alone does not say which is meant."""
    assert asked([SUITE], ["--suite", "demo", "t.py::a"]).tests == ["t.py::a"]
    with pytest.raises(SystemExit):
        asked([SUITE], ["t.py::a"])
    assert "TEST needs --suite" in capsys.readouterr().err
