"""Run the tests on every supported interpreter that is found, each in an environment of its own.

Looks on the PATH and in pyenv. The version of the environment that runs this file is left out: `make test` is its
run. A free-threaded build runs the suites that promise exactness, without the GIL. It is given what they need and
nothing else, as wheels: not every linter or parser can be built there. One that cannot make environments, or has no
wheels of what is needed, is skipped by name; one that fails the tests fails this command.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import environment

SUPPORTED: Final = ("3.11", "3.12", "3.13", "3.14")
FREE_THREADED: Final = ("3.13t", "3.14t")
EXACTNESS: Final = (
    "tests/recorder",
    "tests/stress/test_calls.py",
    "tests/instrumentation",
    "--ignore-glob=*uvicorn*",  # needs httptools
    # CPython hands the lock of a list to a thread that waits for it; after a fork in between nobody has it.
    "--deselect=tests/recorder/test_fork.py::test_forks_while_threads_record_leave_every_process_exact",
    "--timeout=600",  # threads that wait for each other's list or dict take long on a busy machine
)
NEEDED: Final = (
    "fastapi",
    "httpx",
    "hypothesis",
    "pytest",
    "pytest-asyncio",
    "pytest-randomly",
    "pytest-timeout",
    "pytest-xdist",
    "starlette",
    "tzdata",
    "uvicorn",
    "websockets",
)
"""What of the development group these suites need."""
_PROBE = """\
import sys, sysconfig
free = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
print(f"{sys.version_info.major}.{sys.version_info.minor}{free}", sys.executable)
"""
_CAN_MAKE = "import ensurepip, venv"


def candidates() -> Iterator[str]:
    """Every path where a supported interpreter may be."""
    for version in SUPPORTED + FREE_THREADED:
        if found := shutil.which(f"python{version}"):
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for version in SUPPORTED:  # a free-threaded build is called 3.13.1t there, and found too
        yield from map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))


def version_of(python: str) -> tuple[str, str] | None:
    """The version (3.13, 3.13t) and the real path; None when it does not run (a shim of an absent version)."""
    probe = subprocess.run([python, "-c", _PROBE], check=False, capture_output=True, text=True)
    if probe.returncode:
        return None
    version, path = probe.stdout.strip().split(" ", 1)
    return version, path


def found() -> dict[str, str]:
    """The first interpreter of each supported version, without the one that runs this file."""
    own = version_of(sys.executable)
    interpreters: dict[str, str] = {}
    for candidate in candidates():
        answer = version_of(candidate)
        if answer is not None and answer[0] in SUPPORTED + FREE_THREADED and (own is None or answer[0] != own[0]):
            interpreters.setdefault(*answer)
    return {version: interpreters[version] for version in SUPPORTED + FREE_THREADED if version in interpreters}


def can_make_environments(python: str) -> bool:
    """Whether it has its venv module."""
    return subprocess.run([python, "-c", _CAN_MAKE], check=False, capture_output=True).returncode == 0


def fill_with_wheels(python: str, directory: Path) -> bool:
    """Make the environment of a free-threaded build; False when something that is needed has no wheel for it."""
    subprocess.run([python, "-m", "venv", "--clear", str(directory)], check=True)
    needed = [line for line in environment.requirements("dev") if re.split(r"[<>=~! ]", line)[0] in NEEDED]
    install = [str(directory / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command = [*install, "--only-binary", ":all:", "--editable", ".", *needed]
    if subprocess.run(command, check=False, cwd=environment.ROOT).returncode:
        return False
    (directory / environment.STAMP).touch()
    return True


def made(python: str, name: str, directory: Path) -> bool:
    """Whether the environment of one version is there, made anew when it is old."""
    if environment.renewed(directory):
        return True
    if name in FREE_THREADED:
        return fill_with_wheels(python, directory)
    subprocess.run([python, str(environment.ROOT / "tools/environment.py"), str(directory)], check=True)
    return True


def run_tests(name: str, directory: Path) -> bool:
    """Run the tests in the environment of one version."""
    free = name in FREE_THREADED
    what = f"without the GIL {' '.join(EXACTNESS)}" if free else "the tests"
    print(f"Python {name}: {what}", flush=True)
    tests = [str(directory / "bin/python"), "-m", "pytest", "-q", "-n", os.environ.get("WORKERS", "2")]
    variables = os.environ | ({"PYTHON_GIL": "0"} if free else {})
    command = [*tests, *EXACTNESS] if free else tests
    return subprocess.run(command, check=False, cwd=environment.ROOT, env=variables).returncode == 0


def main() -> int:
    """The number of versions that failed."""
    failed: list[str] = []
    interpreters = found()
    for name, python in interpreters.items():
        directory = environment.ROOT / ".cache" / f"venv-{name}"
        if not can_make_environments(python):
            print(f"Python {name}: skipped, it has no venv module (apt install python{name}-venv)")
        elif not made(python, name, directory):
            print(f"Python {name}: skipped, nothing was run: what the tests need has no wheels for it (see above)")
        elif not run_tests(name, directory):
            failed.append(name)
    if not any(name in FREE_THREADED for name in interpreters):
        print(f"free-threaded builds ({', '.join(FREE_THREADED)}): none found")
    print(f"interpreters that failed: {', '.join(failed) or 'none'}", flush=True)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
