"""Run the tests on every supported interpreter that is found, each in an environment of its own.

Looks on the PATH and in pyenv. The version of the environment that runs this file is left out: `make test` is its
run. One that cannot make environments is skipped by name; one that fails the tests fails this command.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import environment

SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 14))
_PROBE = "import sys; print(*sys.version_info[:2], sys.executable)"
_CAN_MAKE = "import ensurepip, venv"


def candidates() -> Iterator[str]:
    """Every path where a supported interpreter may be."""
    for major, minor in SUPPORTED:
        if found := shutil.which(f"python{major}.{minor}"):
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for major, minor in SUPPORTED:
        yield from map(str, sorted(pyenv.glob(f"{major}.{minor}.*/bin/python")))


def version_of(python: str) -> tuple[tuple[int, int], str] | None:
    """The version and the real path of an interpreter; None when it does not run (a shim of an absent version)."""
    probe = subprocess.run([python, "-c", _PROBE], check=False, capture_output=True, text=True)
    if probe.returncode:
        return None
    major, minor, path = probe.stdout.strip().split(" ", 2)
    return (int(major), int(minor)), path


def found() -> dict[tuple[int, int], str]:
    """The first interpreter of each supported version, without the one that runs this file."""
    interpreters: dict[tuple[int, int], str] = {}
    for candidate in candidates():
        answer = version_of(candidate)
        if answer is not None and answer[0] in SUPPORTED and answer[0] != sys.version_info[:2]:
            interpreters.setdefault(*answer)
    return dict(sorted(interpreters.items()))


def can_make_environments(python: str) -> bool:
    """Whether it has its venv module."""
    return subprocess.run([python, "-c", _CAN_MAKE], check=False, capture_output=True).returncode == 0


def run_tests(python: str, name: str) -> bool:
    """Make the environment of one version when it is old, and run the tests in it."""
    directory = environment.ROOT / ".cache" / f"venv-{name}"
    if not environment.renewed(directory):
        subprocess.run([python, str(environment.ROOT / "tools/environment.py"), str(directory)], check=True)
    print(f"Python {name}: the tests", flush=True)
    tests = [str(directory / "bin/python"), "-m", "pytest", "-q", "-n", os.environ.get("WORKERS", "2")]
    return subprocess.run(tests, check=False, cwd=environment.ROOT).returncode == 0


def main() -> int:
    """The number of versions that failed."""
    failed: list[str] = []
    for version, python in found().items():
        name = ".".join(map(str, version))
        if not can_make_environments(python):
            print(f"Python {name}: skipped, it has no venv module (apt install python{name}-venv)")
        elif not run_tests(python, name):
            failed.append(name)
    print(f"interpreters that failed: {', '.join(failed) or 'none'}", flush=True)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
