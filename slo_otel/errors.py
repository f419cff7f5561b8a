"""The exceptions a user can act on, and the one guard that keeps our faults from the host.

    SloOtelError
    ├── PolicyError           the policy file is wrong: every mistake with file, line, column and a fix
    └── ConfigurationError    `configure`, `instrument` or an environment variable cannot work as written

Set-up mistakes raise one of these. At run time nothing of ours reaches the host: a fault goes through
`swallow`, which counts it, logs it once per place, and re-raises only under `SLO_OTEL_STRICT`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

logger = logging.getLogger("slo_otel")

_TRUE = frozenset({"1", "true", "yes"})
_FALSE = frozenset({"", "0", "false", "no"})
_faults: dict[str, int] = {}

Level = Literal["error", "warning", "note"]


class SloOtelError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigurationError(SloOtelError):
    """The set-up cannot work as written; the message says what to write instead."""


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to say about a policy file. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    message: str
    fix: str | None = None
    """What to write instead, as a sentence or the corrected text."""
    level: Level = "error"
    code: str = ""
    """A stable kebab-case word for the kind of problem, e.g. `unknown-key`."""

    def __post_init__(self) -> None:
        """What a file says may be quoted in a message or a fix: what cannot be printed stands as its escape."""
        object.__setattr__(self, "message", _printable(self.message))
        if self.fix is not None:
            object.__setattr__(self, "fix", _printable(self.fix))

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.level}: {self.message}"
        return f"{text}\n    fix: {self.fix}" if self.fix else text


class PolicyError(SloOtelError):
    """A policy file with mistakes: all of them, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def flag(name: str) -> bool:
    """Whether the environment variable `name` says `1`, `true` or `yes`."""
    return _said(name) in _TRUE


def decided(name: str) -> bool:
    """Whether it says that or its opposite, `0`, `false` or `no`; unset is no."""
    return _said(name) in _TRUE | _FALSE


def _said(name: str) -> str:
    return os.environ.get(name, "").strip().lower()


def strict() -> bool:
    """Whether our own faults are re-raised (`SLO_OTEL_STRICT`)."""
    return flag("SLO_OTEL_STRICT")


def swallow(fault: BaseException, where: str) -> None:
    """Count a fault of ours, log it the first time it happens at `where`, re-raise it when strict."""
    seen = _faults.get(where, 0)
    _faults[where] = seen + 1
    if strict():
        raise fault
    if not seen:
        logger.error("slo_otel: a fault of ours in %s; the service goes on", where, exc_info=fault)


def blame(fault: BaseException, where: str) -> None:
    """Count a fault of code that the user handed us (a judge, an extractor); log it the first time at `where`.

    Never raised, also when strict: the call or request it belongs to is unharmed.
    """
    seen = _faults.get(where, 0)
    _faults[where] = seen + 1
    if not seen:
        logger.warning("slo_otel: %s raised; what it would have said is ignored", where, exc_info=fault)


@contextmanager
def guard(where: str) -> Iterator[None]:
    """Run a block that must not break the host. Not for the record path: it costs a microsecond."""
    try:
        yield
    except Exception as fault:  # noqa: BLE001 - the one place where everything of ours is caught
        swallow(fault, where)


def faults() -> Mapping[str, int]:
    """How often each place failed since the process started."""
    return dict(_faults)


def reset_faults() -> None:
    """Forget what was counted and logged: for tests and for the child of a fork."""
    _faults.clear()
