"""What a run asks of its processes, and how their rounds are put together."""

from __future__ import annotations

import signal

import pytest

from benchmarks import lifetime, run, wrk
from benchmarks.measure import Samples


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, bool]]:
    """Every process that a run would start; each gives the number it has as its only value."""
    started: list[tuple[str, int, bool]] = []

    def measured(subject: str, rounds: int, *, quick: bool) -> Samples:
        started.append((subject, rounds, quick))
        return {f"{subject}.ours": [float(len(started))]}

    monkeypatch.setattr(run, "measured", measured)
    monkeypatch.setattr(wrk, "ensure", lambda: "wrk")
    return started


def test_every_process_of_a_subject_counts(asked: list[tuple[str, int, bool]]) -> None:
    """The rounds of all processes of one subject are one sample, and only what was asked for runs."""
    found = run.run(["drain"], "a command", quick=False)
    [drain] = [subject for subject in run.SUBJECTS if subject.name == "drain"]
    assert asked == [("drain", drain.rounds, False)] * drain.processes
    assert found.figures["drain.ours"].count == drain.processes > 1
    assert set(found.effort) == {"drain"}
    assert found.command == "a command"


def test_a_quick_run_starts_one_process_of_everything(asked: list[tuple[str, int, bool]]) -> None:
    """It proves that everything still runs, with at least two sets of fresh servers."""
    run.run([], "a command", quick=True)
    assert [subject for subject, _, _ in asked] == run.names()
    assert all(quick for _, _, quick in asked)
    assert ("served", 2, True) in asked


def test_a_child_ends_with_its_parent() -> None:
    """A run that is killed leaves no server behind: a child ends when the pipe to its parent closes."""
    with lifetime.child("benchmarks.sink") as process:
        assert process.stdin is not None
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(30) == -signal.SIGTERM


def test_the_environment_of_a_process_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """What configures the SDK or us outside would change what is measured."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("SLO_OTEL_DISABLED", "1")
    found = run.environment()
    assert not {"OTEL_SDK_DISABLED", "SLO_OTEL_DISABLED"} & set(found)
    assert "PATH" in found
