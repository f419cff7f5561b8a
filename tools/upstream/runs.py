"""One run of one suite: a process in a fresh tree, and what it says of every test."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from upstream.suites import CACHE, HERE, ROOT, Suite, UnusableError, unpack

INSIDE: Final = HERE.parent / "upstream_inside"
POLICY: Final = HERE / "policy.yaml"
PROPERTY: Final = "slo_otel"
BARE: Final = "bare"
OURS: Final = "ours"
_PYTEST: Final = "-m pytest -q -c pyproject.toml --rootdir . -p no:cacheprovider -p no:slo_otel"
_RUNTESTS: Final = "runtests.py --settings upstream_settings --parallel 1 --noinput"
_SECONDS_A_TEST: Final = 120
"""Their own limits are for faster machines, and the same on both sides is what matters."""
_SECONDS_A_RUN: Final = 900
_FORGOTTEN: Final = (
    *("PYTHON", "PYTEST", "COVERAGE", "OTEL_", "SLO_OTEL_", "UPSTREAM_"),
    *("DJANGO", "DATABASE_URL", "FLASK", "WERKZEUG"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What became of one test."""

    outcome: str
    """`passed`, `failed`, `error`, `skipped`, `xfailed` or `xpassed`."""
    why: str = ""
    """The last line of pytest's words, for one that did not pass."""
    sent: int = 0
    """Requests and websocket handshakes that it sent to an application."""
    opened: int = 0
    """Those that reached our middleware."""
    events: int = 0
    """What was recorded meanwhile."""


@dataclass(frozen=True, slots=True)
class Process:
    """The totals of one process that ran tests."""

    opened: int
    recorded: int
    exported: int
    """What the exporter was given of them."""
    flushed: bool
    faults: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """A suite that was run."""

    tests: Mapping[str, Case]
    seconds: float
    processes: tuple[Process, ...] = field(default=())
    """Those with our middleware; none of a bare run."""


def run(suite: Suite, variant: str, python: Path, only: Sequence[str] = (), workers: int = 2) -> Run:
    """Run a suite, or `only` these of its tests with their output shown.

    Raises `UnusableError` when it did not end, or ended without saying what became of the tests.
    """
    place = CACHE / "runs" / f"{suite.name}-{variant}"
    tree, told, log = unpack(suite, place), place / "outcomes.json", place / "output.txt"
    command = [str(python), *options(suite, variant, workers), *(only or suite.tests)]
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        variables = surroundings(suite, variant, tree, told)
        ended = _ended(command, tree / suite.directory, variables, None if only else output)
    if not ended or not told.exists():
        what = "said nothing of its tests" if ended else f"is not done after {_SECONDS_A_RUN} s"
        raise UnusableError(f"{suite.title} {variant} {what}; see {log.relative_to(ROOT)}")
    return read(told.read_text(encoding="utf-8"), time.monotonic() - began)


def _ended(command: list[str], where: Path, variables: dict[str, str], output: IO[str] | None) -> bool:
    """Whether it came to an end, in whatever way; what failed is in the outcomes."""
    both: dict[str, Any] = {"stdout": output, "stderr": subprocess.STDOUT if output else None}
    try:
        subprocess.run(command, check=False, cwd=where, env=variables, timeout=_SECONDS_A_RUN, **both)
    except subprocess.TimeoutExpired:
        return False
    return True


def options(suite: Suite, variant: str, workers: int) -> list[str]:
    """What the interpreter is told beside the tests; the two variants of a run with pytest differ in our plugin."""
    if suite.runner == "runtests.py":
        return _RUNTESTS.split()
    plugins = ["upstream_patience", "upstream_outcomes", *(["upstream_around"] if variant == OURS else [])]
    chosen = [word for plugin in plugins for word in ("-p", plugin)]
    unasked = [] if suite.door == "django" else ["-p", "no:django"]
    spread = ["-n", str(workers), *suite.arguments] if workers else []
    return [*_PYTEST.split(), *unasked, *chosen, f"--timeout={_SECONDS_A_TEST}", *spread]


def surroundings(suite: Suite, variant: str, tree: Path, told: Path) -> dict[str, str]:
    """The environment variables of a run: nothing of the caller's that could reach the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FORGOTTEN)}
    path = os.pathsep.join([str(INSIDE), *(str(tree / part) for part in suite.path)])
    return (
        kept
        | {
            "PYTHONPATH": path,
            "UPSTREAM_OUTCOMES": str(told),
            "UPSTREAM_APPLICATIONS": " ".join(suite.applications),
            "SLO_OTEL_POLICY": str(POLICY),
            "SLO_OTEL_STRICT": "1",
        }
        | ({"UPSTREAM_DOOR": suite.door} if variant == OURS else {})
    )


def read(text: str, seconds: float) -> Run:
    """The JSON of the plugins."""
    told = json.loads(text)
    tests = {name: Case(one["outcome"], one["why"], *one.get(PROPERTY, ())) for name, one in told["tests"].items()}
    return Run(tests, seconds, tuple(Process(**one) for one in told["processes"]))
