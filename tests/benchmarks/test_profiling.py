"""The profiles take the real thing apart: every step and every stage is there."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks import profiling
from benchmarks.steps import STEPS
from benchmarks.subjects.evaluation import Shape


def test_the_profile_of_a_request_ends_with_the_middleware_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each step in order, the real middleware last, and what each adds sums up to the whole."""
    monkeypatch.setattr(profiling, "ROUNDS", 1)
    monkeypatch.setattr(profiling, "TIGHT_CALLS", 5)
    assert command.main(["profile", "request"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line[:58].strip() for line in lines] == [*STEPS, "the middleware itself"]
    added, in_all = [float(line[58:67]) for line in lines], float(lines[-1][67:])
    assert sum(added) == pytest.approx(in_all, abs=len(lines))


def test_the_profile_of_a_tick_has_every_stage() -> None:
    """Snapshot, append and the three parts of the evaluation, once for each tick."""
    took = profiling.stages(Shape(2, (), ("",)), 3)
    assert {stage: len(values) for stage, values in took.items()} == dict.fromkeys(
        ("snapshot", "append", "needs", "answer", "evaluate"), 3
    )


def test_every_profile_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The command line offers what there is."""
    with pytest.raises(SystemExit):
        command.main(["profile", "--help"])
    assert f"{{{','.join(profiling.PROFILES)}}}" in capsys.readouterr().out
