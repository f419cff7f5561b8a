"""Build sdist and wheel, install the wheel alone in a new environment outside the tree, try it without extras."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTALL_LINE = 'pip install "slo-otel[cli]"'


def run(*command: str, cwd: Path) -> None:
    """Run a step with an environment that says nothing of the source tree; a failure ends this command."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    subprocess.run(command, check=True, cwd=cwd, env=environment)


def build(into: Path) -> tuple[Path, Path]:
    """The sdist and the wheel that is built from it."""
    run(sys.executable, "-m", "build", "--outdir", str(into), str(ROOT), cwd=into)
    [sdist], [wheel] = into.glob("*.tar.gz"), into.glob("*.whl")
    return sdist, wheel


def complain(sdist: Path, wheel: Path) -> list[str]:
    """What is missing from the archives or should not be there."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        sources = {name.split("/", 1)[-1] for name in archive.getnames()}
    missing = [name for name in ("slo_otel/py.typed", "slo_otel/__init__.py") if name not in inside]
    missing += [name for name in ("README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml") if name not in sources]
    strangers = [name for name in inside if not name.startswith(("slo_otel/", "slo_otel-"))]
    return [f"missing: {name}" for name in missing] + [
        f"does not belong in the wheel: {name}" for name in strangers
    ]


def try_command(script: Path, cwd: Path) -> list[str]:
    """The console script without its extra: exit 2, and the exact line to run."""
    ended = subprocess.run([str(script), "lint", "x.yaml"], check=False, capture_output=True, text=True, cwd=cwd)
    if ended.returncode == 2 and ended.stderr.splitlines()[-1:] == [INSTALL_LINE]:
        return []
    return [f"slo-otel without its extra: exit {ended.returncode}, {ended.stderr!r}"]


def main() -> int:
    """0 when the wheel works by itself."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        sdist, wheel = build(place)
        run(sys.executable, "-m", "venv", str(place / "venv"), cwd=place)
        binaries = place / "venv" / "bin"
        run(str(binaries / "pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel), cwd=place)
        run(str(binaries / "python"), "-I", "-W", "error", str(ROOT / "tools" / "smoke.py"), cwd=place)
        problems = complain(sdist, wheel) + try_command(binaries / "slo-otel", place)
    print("\n".join(problems) or f"{wheel.name} works by itself")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
