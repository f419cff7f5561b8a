"""`load`, `loads` and `lint`: a policy, or everything that is to be said about its file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from os import PathLike, fspath
from pathlib import Path

from slo_otel.errors import PolicyError, Problem
from slo_otel.policy._check import refusals
from slo_otel.policy._lint import remarks
from slo_otel.policy._model import Policy
from slo_otel.policy._read import Reading, interpret


def load(path: str | PathLike[str]) -> Policy:
    """The policy of a file. Raises `PolicyError` with every mistake of it, `OSError` when it cannot be read."""
    return _sound(_interpreted(fspath(path)))


def loads(text: str, file: str = "<policy>") -> Policy:
    """The policy of a text; `file` is the name that messages give it. Raises `PolicyError` with every mistake."""
    return _sound(interpret(text, file))


def lint(path: str | PathLike[str], *, today: date | None = None) -> tuple[Problem, ...]:
    """Errors, warnings and notes of a file, in the order of the file. `today` judges what is overdue."""
    reading = _reading(fspath(path))
    errors = (*reading.problems, *refusals(reading))
    return _ordered((*errors, *remarks(reading, today or date.today())))  # noqa: DTZ011 - a reviewer's day


def _sound(reading: Reading) -> Policy:
    problems = _ordered((*reading.problems, *refusals(reading)))
    if problems or reading.policy is None:
        raise PolicyError(problems)
    return reading.policy


def _ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(dict.fromkeys(problems), key=lambda one: (one.line, one.column)))


def _reading(name: str) -> Reading:
    try:
        return _interpreted(name)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Reading((Problem(name, 1, 1, f"the file cannot be read: {reason}", "check the path", code="file"),))


def _interpreted(name: str) -> Reading:
    data = Path(name).read_bytes()
    try:
        return interpret(data.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        return Reading((_encoding(name, data, error),))


def _encoding(name: str, data: bytes, error: UnicodeDecodeError) -> Problem:
    before = data[: error.start]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return Problem(
        name,
        line,
        column,
        f"the byte 0x{data[error.start]:02x} is no UTF-8",
        "save the file as UTF-8",
        code="encoding",
    )
