"""What is run: the pinned source distributions, fetched once, checked, and unpacked anew for every run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent.parent
CACHE: Final = ROOT / ".cache" / "upstream"
PINS: Final = HERE / "pins.toml"


@dataclass(frozen=True, slots=True)
class Suite:
    """One project's tests, as its own test script runs them."""

    name: str
    """Of the project on PyPI."""
    version: str
    sha256: str
    """Of the source distribution."""
    tests: tuple[str, ...]
    """What the runner is given: directories of tests, relative to `directory`."""
    arguments: tuple[str, ...]
    """Further options of pytest."""
    path: tuple[str, ...]
    """Directories of the distribution on the import path."""
    applications: tuple[str, ...]
    """The classes whose instances are instrumented, as `module:name`."""
    door: str = "asgi"
    """How our middleware gets around them: `asgi`, `wsgi` or `django`."""
    runner: str = "pytest"
    """What runs them: `pytest`, or `runtests.py`, Django's own script, whose tests are unittest's."""
    differs: Mapping[str, str] = field(default_factory=dict)
    """Tests that end otherwise with any middleware around the application, and why."""
    uncounted: Mapping[str, str] = field(default_factory=dict)
    """Tests whose requests are not one event each, and why."""

    @property
    def title(self) -> str:
        """Name and version, as the distribution's directory has them."""
        return f"{self.name}-{self.version}"

    @property
    def directory(self) -> str:
        """Where its tests are run, below the unpacked distribution."""
        return "tests/" if self.runner == "runtests.py" else ""

    @property
    def archive(self) -> Path:
        """Where the source distribution is kept."""
        return CACHE / "sdists" / f"{self.title}.tar.gz"


class UnusableError(Exception):
    """A suite cannot be run; the message says why, in one line."""


def pinned(text: str) -> tuple[Suite, ...]:
    """The suites of pins.toml, in its order."""
    return tuple(Suite(name, **_frozen(pins)) for name, pins in tomllib.loads(text).items())


def _frozen(pins: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in pins.items()}


def fetch(suite: Suite, python: Path) -> None:
    """Have the archive: download it unless it is there. `python` is one that has pip."""
    if not suite.archive.exists():
        print(f"downloading {suite.title}.tar.gz", flush=True)
        suite.archive.parent.mkdir(parents=True, exist_ok=True)
        pip = [str(python), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        what = ["--no-binary", suite.name, "--dest", str(suite.archive.parent), f"{suite.name}=={suite.version}"]
        subprocess.run([*pip, *what], check=True)
    check(suite)


def check(suite: Suite) -> None:
    """Raises `UnusableError` when the archive is not the pinned one, or ships no tests; a wrong one is removed."""
    found = hashlib.sha256(suite.archive.read_bytes()).hexdigest()
    if found != suite.sha256:
        suite.archive.unlink()
        raise UnusableError(
            f"{suite.archive.name} has sha256 {found}, pins.toml says {suite.sha256}; it was removed"
        )
    with tarfile.open(suite.archive) as archive:
        names = archive.getnames()
    for tests in suite.tests:
        if not any(name.startswith(f"{suite.title}/{suite.directory}{tests}/") for name in names):
            raise UnusableError(f"{suite.archive.name} ships no {suite.directory}{tests}/; pin a version that does")


def unpack(suite: Suite, into: Path) -> Path:
    """The tree of the distribution, as it was packed; what an earlier run left there is removed."""
    shutil.rmtree(into, ignore_errors=True)
    with tarfile.open(suite.archive) as archive:
        archive.extractall(into, filter="data")
    return into / suite.title
