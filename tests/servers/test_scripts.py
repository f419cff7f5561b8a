"""Processes without a server, as real processes; `make test` runs a few of them, `make servers` all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slo_otel.receive import Receiver
from tests.runtime.processes import environment
from tests.servers.cells import Arrives
from tests.servers.results import Result, keep
from tests.servers.scripts import SCRIPTS, Script
from tests.servers.world import APPS, Told, arrived, noted, told, total

_MARKED = [
    pytest.param(script, marks=() if script.quick else pytest.mark.servers, id=script.label) for script in SCRIPTS
]


@pytest.mark.parametrize("script", _MARKED)
def test_what_a_process_that_ends_has_counted_arrives_once(script: Script, tmp_path: Path) -> None:
    """Parent and children tell their own, each once and under an instance of its own; or it is lost as told."""
    with Receiver() as receiver:
        ended = _run(script, tmp_path, receiver)
        parent, every = _expected(tmp_path, ended)
        found = arrived(receiver)
    keep(Result(script.label, sum(total(every)), sum(total(found)), every.total()))
    wanted = {Arrives.ALL: every, Arrives.PARENTS: parent, Arrives.NONE: Told()}[script.arrives]
    assert found == wanted, (every, found, (tmp_path / "log").read_text())


def _run(script: Script, folder: Path, receiver: Receiver) -> int:
    """Run it to its end; the process id it had."""
    (folder / "slo.yaml").write_text((APPS / "slo.yaml").read_text())
    (folder / "script.py").write_text(script.text)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "script.py"],
            cwd=folder,
            env=environment(receiver, **dict(script.variables)),
            stdout=log,
            stderr=log,
        )
        process.wait(60)
    return process.pid


def _expected(folder: Path, parent: int) -> tuple[Told, Told]:
    """What the parent had to tell, and what all had."""
    paid = noted(folder / "paid")
    return told({parent: (paid[parent], 0)}), told({pid: (times, 0) for pid, times in paid.items()})
