"""pytest plugin: writes what became of every test to the file that UPSTREAM_OUTCOMES names, as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest

PROPERTY: Final = "slo_otel"


class Outcomes:
    """Collects the reports where they all arrive: in the only process, or in the controller of xdist."""

    def __init__(self, config: pytest.Config, target: Path) -> None:
        self._config = config
        self._target = target
        self._tests: dict[str, dict[str, object]] = {}
        self._processes: list[object] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that is skipped or cannot be imported stands for its tests."""
        if not report.passed:
            ended: dict[str, object] = {"outcome": "skipped" if report.skipped else "error", "why": why(report)}
            self._tests[self._name(report)] = ended

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up, call and teardown of a test; the worst of them is its outcome."""
        test = self._tests.setdefault(self._name(report), {"outcome": "passed", "why": ""})
        said = outcome(report)
        if said != "passed" and test["outcome"] == "passed":
            test |= {"outcome": said, "why": why(report)}
        test |= dict(pair for pair in report.user_properties if pair[0] == PROPERTY)

    def _name(self, report: pytest.CollectReport | pytest.TestReport) -> str:
        """The same in whatever directory the suite was unpacked; some tests are named after a file there."""
        return report.nodeid.replace(str(self._config.rootpath), ".")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """A worker of xdist ends, and hands over what it counted."""
        output: dict[str, object] = getattr(node, "workeroutput", {})
        self._processes.append(output.get(PROPERTY))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write what is known now; xdist has seen all its workers end."""
        alone = getattr(self._config, PROPERTY, None)
        processes = [each for each in [*self._processes, alone] if each is not None]
        self._target.write_text(json.dumps({"tests": self._tests, "processes": processes}), encoding="utf-8")


def outcome(report: pytest.TestReport) -> str:
    """In the words of pytest's summary line."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed" if report.passed else "failed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return str(report.outcome)


def why(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The last line of what pytest would print of it."""
    return report.longreprtext.strip().rpartition("\n")[2]


def pytest_configure(config: pytest.Config) -> None:
    """Only where all reports arrive. A variable, since pytest would take an option's path for a test's."""
    if not hasattr(config, "workerinput"):
        outcomes = Outcomes(config, Path(os.environ["UPSTREAM_OUTCOMES"]))
        config.pluginmanager.register(outcomes, "upstream_outcomes_of_all")
