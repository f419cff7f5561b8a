"""Make a virtual environment with our distributions (editable), the `cli` extra, the `dev` group and those named.

    python3 tools/environment.py DIRECTORY [GROUP ...]

Standard library only: it runs before anything is installed. The stamp `DIRECTORY/.installed` is written last, so an
interrupted run is repeated by the next `make`.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = ".installed"
INTEGRATIONS = ("integrations/django",)
"""The distributions beside the core."""


def declarations() -> list[Path]:
    """The pyproject.toml of each of our distributions, the core first."""
    return [ROOT / place / "pyproject.toml" for place in (".", *INTEGRATIONS)]


def editable() -> list[str]:
    """The arguments of pip that install our distributions from the source tree."""
    return ["--editable", ".[cli]", *(word for place in INTEGRATIONS for word in ("--editable", place))]


def requirements(*groups: str) -> list[str]:
    """What is installed beside the package: lines of dependency groups, which plain pip of any age can be given."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [line for group in groups for line in project["dependency-groups"][group]]


def renewed(directory: Path) -> bool:
    """Whether the environment is at least as new as what our distributions declare."""
    stamp = directory / STAMP
    newest = max(path.stat().st_mtime for path in declarations())
    return stamp.exists() and stamp.stat().st_mtime >= newest


def venv_package() -> str | None:
    """The line that names the missing package when this interpreter cannot make environments."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"python {version} is here without its venv module: apt install python{version}-venv (or python3-venv)"


def usable(python: Path) -> bool:
    """Whether an environment is there already and runs."""
    probe = [str(python), "-c", "import sys, pip; sys.exit(sys.version_info < (3, 11))"]
    return python.exists() and subprocess.run(probe, check=False, capture_output=True).returncode == 0


def make(directory: Path) -> Path:
    """Create the environment unless a working one is there; return its interpreter."""
    python = directory / "bin" / "python"
    if not usable(python):
        print(f"making {directory} with Python {sys.version.split()[0]}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
    return python


def install(python: Path, *what: str) -> None:
    """Install with the environment's own pip, saying nothing but errors."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    subprocess.run(command, check=True, cwd=ROOT)


def main(directory: Path, *groups: str) -> int:
    """Make the environment and fill it; 1 with one line when it cannot be made."""
    if missing := venv_package():
        print(missing, file=sys.stderr)
        return 1
    try:
        python = make(directory)
        print(f"installing slo-otel and its development tools into {directory} (about a minute)", flush=True)
        install(python, *editable(), *requirements("dev", *groups))
    except subprocess.CalledProcessError as failed:
        print(f"setup failed: {' '.join(map(str, failed.cmd))}", file=sys.stderr)
        return 1
    (directory / STAMP).touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".venv"), *sys.argv[2:]))
