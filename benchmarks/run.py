"""Runs the subjects, each in fresh processes of its own, and gathers what they measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from benchmarks import machine, wrk
from benchmarks.measure import Samples
from benchmarks.results import Results, figures_of


@dataclass(frozen=True, slots=True)
class Subject:
    """A module of `benchmarks.subjects`, and how often it runs."""

    name: str
    processes: int
    rounds: int
    quick_rounds: int = 3


SUBJECTS: Final = (
    Subject("record", 3, 11),
    Subject("drain", 3, 5),
    Subject("calls", 3, 11),
    Subject("asgi", 5, 9, 2),
    Subject("wsgi", 3, 9, 2),
    Subject("served", 1, 16, 2),
    Subject("collect", 2, 9, 2),
    Subject("export", 2, 9),
    Subject("lateness", 1, 6, 1),
    Subject("memory", 1, 1, 1),
    Subject("evaluation", 1, 121, 9),
    Subject("imports", 1, 15, 2),
)
"""For `served` a round is a set of fresh server processes, for `imports` a process of each package."""


def names() -> list[str]:
    """Of all subjects."""
    return [subject.name for subject in SUBJECTS]


def run(only: Iterable[str], command: str, *, quick: bool) -> Results:
    """Measure the subjects named, or all, and say on the way what is under way."""
    chosen = [subject for subject in SUBJECTS if subject.name in (set(only) or set(names()))]
    if any(subject.name == "served" for subject in chosen):
        wrk.ensure()
    began, facts = time.monotonic(), machine.facts()
    samples: Samples = {}
    effort: dict[str, str] = {}
    for number, subject in enumerate(chosen, 1):
        processes = 1 if quick else subject.processes
        rounds = subject.quick_rounds if quick else subject.rounds
        effort[subject.name] = f"{processes} × {rounds}"
        print(f"[{number}/{len(chosen)}] {subject.name}: {effort[subject.name]} rounds ", end="", flush=True)
        started = time.monotonic()
        for _ in range(processes):
            gather(samples, measured(subject.name, rounds, quick=quick))
        print(f"{time.monotonic() - started:.0f} s", flush=True)
    seconds = time.monotonic() - began
    return Results(command, facts, machine.packages(), effort, seconds, figures_of(samples))


def measured(subject: str, rounds: int, *, quick: bool) -> Samples:
    """What one process measures. Raises `CalledProcessError` when it fails; its stderr is ours."""
    command = [sys.executable, "-m", "benchmarks.one", subject, str(rounds), *(["quick"] if quick else [])]
    ended = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=machine.ROOT, env=environment()
    )
    samples: Samples = json.loads(ended.stdout)
    return samples


def environment() -> dict[str, str]:
    """Without what configures us or the SDK from outside. Our faults are raised: they would look cheap."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SLO_OTEL_"))}
    return ours | {"SLO_OTEL_STRICT": "1"}


def gather(into: Samples, samples: Samples) -> None:
    """The rounds of every process count alike."""
    for name, values in samples.items():
        into.setdefault(name, []).extend(values)
