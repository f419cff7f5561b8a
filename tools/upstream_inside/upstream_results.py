"""What became of every test of a unittest suite, in pytest's words."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

if TYPE_CHECKING:
    from upstream_runtime import Counts, Measured

PROPERTY: Final = "slo_otel"
SEVERITY: Final = ("passed", "skipped", "xfailed", "xpassed", "failed", "error")
"""A test with subtests may end in several ways: the worst is its outcome."""
Fault: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Results(unittest.TextTestResult):
    """unittest's own result, which also writes the outcomes to the file that UPSTREAM_OUTCOMES names."""

    measured: ClassVar[Measured | None] = None
    """Our runtime, in the run that has our middleware."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tests: dict[str, dict[str, object]] = {}
        self._before: Counts = (0, 0, 0)

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name, as the others here
        """A test begins."""
        super().startTest(test)
        if self.measured is not None:
            self._before = self.measured.counts()

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """It is over, its clean-ups too."""
        super().stopTest(test)
        if self.measured is not None:
            self._said(test)[PROPERTY] = self.measured.since(self._before)

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """It passed, or its class was set up."""
        super().addSuccess(test)
        self._say(test, "passed")

    def addFailure(self, test: unittest.TestCase, err: Fault) -> None:  # noqa: N802 - unittest's name
        """An assertion."""
        super().addFailure(test, err)
        self._say(test, "failed", _last_line(err))

    def addError(self, test: unittest.TestCase, err: Fault) -> None:  # noqa: N802 - unittest's name
        """Any other exception; `test` stands for the set-up of a class or module where that raised."""
        super().addError(test, err)
        self._say(test, "error", _last_line(err))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802 - unittest's name
        """By a decorator, or by itself."""
        super().addSkip(test, reason)
        self._say(test, "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Fault) -> None:  # noqa: N802 - unittest's name
        """It failed as it should."""
        super().addExpectedFailure(test, err)
        self._say(test, "xfailed", _last_line(err))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """It passed though it should not."""
        super().addUnexpectedSuccess(test)
        self._say(test, "xpassed", "unexpected success")

    def addSubTest(  # noqa: N802 - unittest's name
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: Fault | None
    ) -> None:
        """A part of a test; those that pass are not told apart."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            failed = issubclass(err[0] or Exception, test.failureException)
            self._say(test, "failed" if failed else "error", f"{_parameters(test, subtest)}{_last_line(err)}")

    def stopTestRun(self) -> None:  # noqa: N802 - unittest's name
        """All is said: write it down."""
        super().stopTestRun()
        processes = [] if self.measured is None else [self.measured.ended()]
        told = json.dumps({"tests": self._tests, "processes": processes})
        Path(os.environ["UPSTREAM_OUTCOMES"]).write_text(told, encoding="utf-8")

    def _said(self, test: unittest.TestCase) -> dict[str, object]:
        """What is known of a test, or of the one that a subtest belongs to."""
        owner: unittest.TestCase = getattr(test, "test_case", test)
        return self._tests.setdefault(owner.id(), {"outcome": "passed", "why": ""})

    def _say(self, test: unittest.TestCase, outcome: str, why: str = "") -> None:
        said = self._said(test)
        if SEVERITY.index(outcome) > SEVERITY.index(str(said["outcome"])):
            said |= {"outcome": outcome, "why": why}


def _last_line(err: Fault) -> str:
    return f"{err[0].__name__}: {err[1]}".strip().rpartition("\n")[2] if err[0] is not None else ""


def _parameters(test: unittest.TestCase, subtest: unittest.TestCase) -> str:
    return subtest.id().removeprefix(test.id()).strip() + ": "
