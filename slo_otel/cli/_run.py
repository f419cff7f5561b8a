"""`slo-otel run -- COMMAND`: the command itself, in Pythons that measure what serves in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from slo_otel import variables
from slo_otel.auto import bootstrap_path
from slo_otel.errors import PolicyError, SloOtelError, flag

_REFUSED: Final = 2
_NOT_FOUND: Final = 127
_NOT_RUNNABLE: Final = 126
"""What a shell exits with, and what `lint` does for a policy with mistakes."""


def run_command(command: Sequence[str], policy: Path | None) -> int:
    """Become the command. Returns only where that fails: an exit code, as a shell has it."""
    environment = measured(os.environ, policy, os.getpid())
    try:
        _check(str(policy or os.environ.get("SLO_OTEL_POLICY", "")))
    except SloOtelError as mistake:
        text = f"\n{mistake}" if isinstance(mistake, PolicyError) else f" {mistake}"
        print(f"slo-otel run: nothing is started:{text}", file=sys.stderr)
        return _REFUSED
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command[0], list(command), environment)  # noqa: S606 - what the user asked us to run
    except FileNotFoundError:
        print(f"slo-otel run: {command[0]}: not found", file=sys.stderr)
        return _NOT_FOUND
    except OSError as fault:
        print(f"slo-otel run: {command[0]}: {fault.strerror}", file=sys.stderr)
        return _NOT_RUNNABLE


def _check(policy: str) -> None:
    """Raise what every process of the command would refuse, before there is one; say it where none is measured."""
    variables.check()
    if flag("SLO_OTEL_DISABLED"):
        return
    if policy:
        from slo_otel.runtime import check

        check(policy)
    else:
        for remark in (*variables.remarks(), "nothing is measured: give --policy, or set SLO_OTEL_POLICY"):
            print(f"slo-otel run: {remark}", file=sys.stderr)


def measured(environment: Mapping[str, str], policy: Path | None, pid: int) -> dict[str, str]:
    """The environment of the command: ours first on Python's path, the policy's path absolute.

    Servers change their directory, and their workers inherit the environment. `pid` is that of the command.
    """
    found = dict(environment)
    path = str(policy) if policy is not None else found.get("SLO_OTEL_POLICY")
    if path:
        found["SLO_OTEL_POLICY"] = str(Path(path).absolute())
    ours = str(bootstrap_path())
    others = [place for place in found.get("PYTHONPATH", "").split(os.pathsep) if place and place != ours]
    return found | {"PYTHONPATH": os.pathsep.join([ours, *others]), "_SLO_OTEL_RUN": str(pid)}
