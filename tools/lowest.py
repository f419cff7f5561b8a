"""Run the tests with the lowest versions that pyproject.toml declares for users, in an environment of their own.

Pinned are `dependencies` and the extras; what they bring, and the development tools, are as new as fits. So an old
version may use what a newer one calls deprecated, which is no failure here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from typing import Final

import environment

DIRECTORY: Final = environment.ROOT / ".cache" / "venv-lowest"
_BOUND: Final = re.compile(r"([\w.-]+)>=([\w.]+)")


def declared() -> list[str]:
    """The requirements of users, without ourselves: the dependencies of our distributions and every extra."""
    found: list[str] = []
    for path in environment.declarations():
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        extras = project.get("optional-dependencies", {}).values()
        found += [*project["dependencies"], *(requirement for extra in extras for requirement in extra)]
    return [requirement for requirement in found if not requirement.startswith("slo-otel")]


def pins(requirements: Iterable[str]) -> Iterator[str]:
    """Each requirement at its lower bound. Raises `ValueError` where it has none."""
    for requirement in requirements:
        bound = _BOUND.match(requirement)
        if bound is None:
            raise ValueError(f"{requirement} has no lower bound")
        yield f"{bound[1]}=={bound[2]}"


def make() -> None:
    """Make the environment; pip itself refuses what does not fit together."""
    python = environment.make(DIRECTORY)
    print(f"installing slo-otel with its lowest dependencies into {DIRECTORY} (about a minute)", flush=True)
    environment.install(python, *environment.editable(), *pins(declared()), *environment.requirements("dev"))
    (DIRECTORY / environment.STAMP).touch()


def main(*tests: str) -> int:
    """The exit code of pytest; `tests` are what it runs, all of them unless given."""
    if not environment.renewed(DIRECTORY):
        make()
    workers = os.environ.get("WORKERS", "2")
    options = ["-q", "-n", workers, "-W", "default::DeprecationWarning", *tests]
    command = [str(DIRECTORY / "bin/python"), "-m", "pytest", *options]
    return subprocess.run(command, check=False, cwd=environment.ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
