"""What the loader makes of a damaged policy, and whether that is allowed."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from slo_otel import policy
from slo_otel.errors import PolicyError, Problem
from tests.policy.mutants.original import Mutant

MAX_CPU_S: Final = 1.0
_MAX_MESSAGE: Final = 700
"""Longer than any sentence that helps."""
_LINES: Final = re.compile("\r\n|\r|\n")
_CODE: Final = re.compile(r"[a-z]+(?:-[a-z]+)*")


class TooSlowError(BaseException):
    """More CPU time than one policy may take. No `Exception`, so that no handler of the loader takes it."""


@contextmanager
def _limited() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MAX_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fault_of(mutant: Mutant, file: Path, *, lint: bool) -> str | None:
    """What is wrong with the loader's answer; None when it is right. `lint`: that of `lint` as well.

    The CPU time of this process may reach a second for `load` and `compile`, and another one for `lint`.
    """
    file.write_bytes(mutant.data)
    try:
        with _limited():
            found = problems_of(file)
        with _limited():
            linted = policy.lint(file) if lint else None
    except TooSlowError:
        return f"took more than {MAX_CPU_S} s of CPU time"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return f"raised {type(error).__name__}: {str(error)[:300]}"
    return _wrong(mutant, found, file) or (None if linted is None else _lint_differs(found, linted))


def problems_of(file: Path) -> tuple[Problem, ...]:
    """The errors of a policy; one without errors also compiles."""
    try:
        policy.compile(policy.load(file))
    except PolicyError as error:
        return error.problems
    return ()


def _wrong(mutant: Mutant, found: tuple[Problem, ...], file: Path) -> str | None:
    lines = _LINES.split(mutant.data.decode("utf-8", "replace"))
    for one in found:
        reason = _malformed(one, lines, file)
        if reason is not None:
            return f"{reason}: {str(one)[:300]!r}"
    if list(found) != sorted(dict.fromkeys(found), key=lambda one: (one.line, one.column)):
        return "the errors are not in the order of the file, each once"
    if mutant.invalid and not any(one.line in mutant.lines for one in found):
        stands = ", ".join(f"{one.line} ({one.message[:120]})" for one in found[:3]) or "nowhere: it was accepted"
        return f"the damage is in line {sorted(mutant.lines)[:5]}, the error stands in {stands}"
    return None


def _malformed(one: Problem, lines: list[str], file: Path) -> str | None:
    if one.file != str(file) or one.level != "error" or _CODE.fullmatch(one.code) is None:
        return "no error of this file with a code"
    if not 1 <= one.line <= len(lines) or not 1 <= one.column <= len(lines[one.line - 1]) + 1:
        return "a place outside the file"
    shown = f"{one.message}{one.fix or ''}"
    if not one.message or not shown.isprintable() or len(shown) > _MAX_MESSAGE:
        return "a message that cannot be printed, or is longer than anyone reads"
    return None


def _lint_differs(found: tuple[Problem, ...], linted: tuple[Problem, ...]) -> str | None:
    if tuple(one for one in linted if one.level == "error") != found:
        return "lint finds other errors than load"
    places = [(one.line, one.column) for one in linted]
    return None if places == sorted(places) else "what lint says is not in the order of the file"
