"""Play the matrix of docs/servers.md with real servers, in an environment of their own, and write the page.

    python tools/servers.py [TEST ...]

With TESTs only those run, and the page stays as it is. uWSGI is compiled from its sources, which needs a C compiler
and Python's headers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

import environment

DIRECTORY: Final = environment.ROOT / ".cache" / "venv-servers"
EVERYTHING: Final = ("-m", "servers or not servers")
_SECONDS: Final = "300"


def compiler_missing() -> str | None:
    """One line when uWSGI could not be compiled here."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if not any(map(shutil.which, (os.environ.get("CC", ""), compiler, "gcc", "clang", "cc"))):
        return "make servers compiles uWSGI and finds no C compiler: apt install gcc (or clang)"
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"make servers compiles uWSGI and finds no {header}: apt install python{version}-dev"
    return None


def play(results: Path, tests: list[str]) -> int:
    """Run the matrix, or only some tests of it; pytest's exit code."""
    python = DIRECTORY / "bin" / "python"
    command = [
        str(python),
        "-m",
        "pytest",
        *EVERYTHING,
        "-n",
        os.environ.get("WORKERS", "2"),
        "--timeout",
        _SECONDS,
    ]
    variables = os.environ | {"SERVERS_RESULTS": str(results)}
    asked = tests or ["tests/servers", "--ignore=tests/servers/test_page.py"]  # the page is written afterwards
    return subprocess.run([*command, *asked], cwd=environment.ROOT, env=variables, check=False).returncode


def write(results: Path) -> None:
    """Put what was found into docs/servers.json and docs/servers.md."""
    command = [str(DIRECTORY / "bin" / "python"), "-m", "tests.servers.results", str(results)]
    subprocess.run(command, cwd=environment.ROOT, check=True)


def main(tests: list[str]) -> int:
    """0 when everything that is promised arrived."""
    if missing := compiler_missing():
        print(missing, file=sys.stderr)
        return 1
    if not environment.renewed(DIRECTORY) and (code := environment.main(DIRECTORY, "servers")):
        return code
    with tempfile.TemporaryDirectory() as folder:
        code = play(Path(folder), tests)
        if code == 0 and not tests:
            write(Path(folder))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
