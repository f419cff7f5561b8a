"""`slo-otel lint`: problems as lines or JSON, and the exit code of POLICY.md 10."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from slo_otel.errors import Level, Problem

_STYLES: Final[dict[Level, str]] = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_UNSUPPORTED: Final = "unsupported"
"""The code of notes about what this version does not evaluate yet."""


def lint_file(file: Path, *, strict: bool, as_json: bool) -> int:
    """Print the problems of a policy file; the exit code: 2 on errors, 1 when strict and not clean, else 0."""
    from slo_otel.policy import lint

    problems = lint(file)
    if as_json:
        print(json.dumps([asdict(problem) for problem in problems], indent=2))
    else:
        _print(file, problems)
    return exit_code(problems, strict=strict)


def exit_code(problems: tuple[Problem, ...], *, strict: bool) -> int:
    """What the shell gets."""
    if any(problem.level == "error" for problem in problems):
        return 2
    return int(strict and any(problem.level == "warning" or problem.code == _UNSUPPORTED for problem in problems))


def _print(file: Path, problems: tuple[Problem, ...]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for problem in problems:
        console.print(_line(problem))
    counts = Counter(problem.level for problem in problems)
    console.print(Text(f"{file}: {_summary(counts)}"))


def _line(problem: Problem) -> Text:
    place = f"{problem.file}:{problem.line}:{problem.column}: "
    fix = f"\n    fix: {problem.fix}" if problem.fix else ""
    return Text.assemble(place, (problem.level, _STYLES[problem.level]), f": {problem.message}{fix}")


def _summary(counts: Counter[Level]) -> str:
    said = [f"{count} {level}{'s' * (count != 1)}" for level in _STYLES if (count := counts[level])]
    return ", ".join(said) or "no problems"
