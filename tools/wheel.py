"""Build the sdists and wheels of our distributions and try each in new environments outside the tree.

The core alone, without an extra; then Django's adapter by both of its names, each with requests through a project.
What an installation brings beside what was asked for is compared with the frameworks that it must not bring.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import environment

ROOT = environment.ROOT
INSTALL_LINE = 'pip install "slo-otel[cli]"'
FRAMEWORKS: Final = frozenset(
    {
        "celery",
        "django",
        "django-ninja",
        "djangorestframework",
        "fastapi",
        "flask",
        "grpcio",
        "starlette",
        "uvicorn",
    }
)
"""What brings a server's or a protocol's whole world with it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A distribution: where it is, what it imports as, and what its sdist holds beside the package."""

    place: str
    package: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """One new environment: what is asked of pip, the frameworks that may come, and the script that tries it."""

    name: str
    asked: str
    frameworks: frozenset[str]
    script: str


KINDS = (
    Kind(".", "slo_otel", ("README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml")),
    Kind("integrations/django", "slo_otel_django", ("README.md", "LICENSE", "pyproject.toml")),
)
TRIALS = (
    Trial("bare", "slo-otel", frozenset(), "smoke.py"),
    Trial("extra", "slo-otel[django]", frozenset({"django"}), "smoke_django.py"),
    Trial("adapter", "slo-otel-django", frozenset({"django"}), "smoke_django.py"),
)


def version() -> str:
    """The one version of all of them: what an index may have under their names is not what is tried."""
    declared: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return declared


def run(*command: str, cwd: Path) -> str:
    """Run a step with an environment that says nothing of the source tree; a failure ends this command."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(command, check=True, cwd=cwd, env=variables, stdout=subprocess.PIPE, text=True).stdout


def build(kind: Kind, into: Path) -> tuple[Path, Path]:
    """The sdist and the wheel that is built from it."""
    run(sys.executable, "-m", "build", "--outdir", str(into), str(ROOT / kind.place), cwd=into)
    name = f"{kind.package}-*"
    [sdist], [wheel] = into.glob(f"{name}.tar.gz"), into.glob(f"{name}.whl")
    return sdist, wheel


def complain(kind: Kind, sdist: Path, wheel: Path) -> list[str]:
    """What is missing from the archives or should not be there."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        sources = {name.split("/", 1)[-1] for name in archive.getnames()}
    missing = [name for name in ("py.typed", "__init__.py") if f"{kind.package}/{name}" not in inside]
    missing += [name for name in kind.sources if name not in sources]
    strangers = [name for name in inside if not name.startswith((f"{kind.package}/", f"{kind.package}-"))]
    return [f"{wheel.name}: missing: {name}" for name in missing] + [
        f"{wheel.name}: does not belong in it: {name}" for name in strangers
    ]


def brought(python: Path, cwd: Path) -> set[str]:
    """The names of the distributions of an environment."""
    code = "from importlib.metadata import distributions; print(*(each.name for each in distributions()))"
    return {name.lower().replace("_", "-") for name in run(str(python), "-I", "-c", code, cwd=cwd).split()}


def attempt(trial: Trial, wheels: Path, place: Path) -> Iterator[str]:
    """Install what is asked for in a new environment, with our own wheels at hand, and run its script there."""
    directory = place / trial.name
    run(sys.executable, "-m", "venv", str(directory), cwd=place)
    python = directory / "bin" / "python"
    options = ("--quiet", "--disable-pip-version-check", "--find-links", str(wheels))
    run(str(python), "-m", "pip", "install", *options, f"{trial.asked}=={version()}", cwd=place)
    for name in sorted(brought(python, place) & FRAMEWORKS - trial.frameworks):
        yield f"{trial.asked} brings {name}"
    print(run(str(python), "-I", "-W", "error", str(ROOT / "tools" / trial.script), cwd=place), end="", flush=True)


def try_command(script: Path, cwd: Path) -> list[str]:
    """The console script without its extra: exit 2, and the exact line to run."""
    ended = subprocess.run([str(script), "lint", "x.yaml"], check=False, capture_output=True, text=True, cwd=cwd)
    if ended.returncode == 2 and ended.stderr.splitlines()[-1:] == [INSTALL_LINE]:
        return []
    return [f"slo-otel without its extra: exit {ended.returncode}, {ended.stderr!r}"]


def try_all(place: Path) -> Iterable[str]:
    """Every problem of the archives and of what is installed from them."""
    wheels = place / "dist"
    wheels.mkdir()
    for kind in KINDS:
        yield from complain(kind, *build(kind, wheels))
    for trial in TRIALS:
        yield from attempt(trial, wheels, place)
    yield from try_command(place / "bare" / "bin" / "slo-otel", place)


def main() -> int:
    """0 when the wheels work by themselves."""
    with tempfile.TemporaryDirectory() as name:
        problems = list(try_all(Path(name)))
    works = ", ".join(trial.asked for trial in TRIALS)
    print("\n".join(problems) or f"{works}: each works by itself")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
