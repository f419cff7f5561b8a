"""Set-up that cannot work says in one line what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SH = shutil.which("sh") or "/bin/sh"


def run(*command: str, path: str) -> subprocess.CompletedProcess[str]:
    """Run a tool with this PATH and nothing else."""
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env={"PATH": path}, timeout=200
    )


def test_a_machine_without_python_is_told_in_one_line(tmp_path: Path) -> None:
    """With no interpreter on the PATH the set-up names the version and an install command."""
    ended = run(SH, "tools/find-python", path=str(tmp_path))
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "Python 3.11 or newer" in ended.stderr


def test_an_old_python3_is_passed_over(tmp_path: Path) -> None:
    """When `python3` is too old the next name that is new enough is taken."""
    _script(tmp_path / "python3", "exit 1")
    _script(tmp_path / "python3.12", "exit 0")
    assert run(SH, "tools/find-python", path=str(tmp_path)).stdout.strip() == str(tmp_path / "python3.12")


def test_a_python_without_venv_is_told_which_package_is_missing(tmp_path: Path) -> None:
    """Debian ships ensurepip apart: one line names the package, and nothing is left behind."""
    hide = "import sys, runpy; sys.modules['ensurepip'] = None; sys.argv = ['x', sys.argv[1]]; "
    code = hide + "runpy.run_path('tools/environment.py', run_name='__main__')"
    ended = run(sys.executable, "-c", code, str(tmp_path / "venv"), path=os.environ["PATH"])
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert f"apt install python3.{sys.version_info.minor}-venv" in ended.stderr
    assert not (tmp_path / "venv").exists()


def test_e2e_without_go_says_what_to_install(tmp_path: Path) -> None:
    """Without Go the Collector cannot be built, and one line says so."""
    ended = run(sys.executable, "tools/collector.py", path=str(tmp_path))
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "needs Go" in ended.stderr


def test_e2e_with_an_old_go_says_so(tmp_path: Path) -> None:
    """A Go that is too old for the Collector's modules is named with its version."""
    _script(tmp_path / "go", "echo go version go1.19.8 linux/amd64")
    ended = run(sys.executable, "tools/collector.py", path=str(tmp_path))
    assert ended.returncode == 1
    assert "go1.19.8" in ended.stderr


def test_without_another_interpreter_the_command_says_what_it_did_not_find(tmp_path: Path) -> None:
    """No free-threaded build is said, and not passed over."""
    ended = interpreters(tmp_path)
    assert ended.returncode == 0
    assert "free-threaded builds (3.13t, 3.14t): none found" in ended.stdout


def test_a_free_threaded_build_is_told_from_the_usual_one(tmp_path: Path) -> None:
    """Each is found by what it says of itself, whatever directory it is in; one without venv is skipped by name."""
    for name, says in {"3.14.0": "3.14", "3.14.0t": "3.14t"}.items():
        place = tmp_path / "versions" / name / "bin"
        place.mkdir(parents=True)
        _script(place / "python", f'case "$2" in *ensurepip*) exit 1;; esac; echo "{says} $0"')
    ended = interpreters(tmp_path)
    assert ended.returncode == 0
    assert "Python 3.14: skipped, it has no venv module" in ended.stdout
    assert "Python 3.14t: skipped, it has no venv module" in ended.stdout
    assert "none found" not in ended.stdout


def test_every_dependency_of_users_has_a_lower_bound_that_can_be_pinned() -> None:
    """`make lowest` tries just what pyproject.toml declares, and a requirement without a bound stops it."""
    code = "import lowest; print(*lowest.pins(lowest.declared())); print(*lowest.pins(['a.b-c>=1.2,<3', 'd']))"
    ended = run(sys.executable, "-c", f"import sys; sys.path.insert(0, 'tools'); {code}", path="")
    pinned = ended.stdout.split()
    assert {one.split("==")[0] for one in pinned} >= {"pydantic", "requests", "ruamel.yaml", "typer"}
    assert all(one.count("==") == 1 and one.split("==")[1][0].isdigit() for one in pinned)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "ValueError: d has no lower bound"


def interpreters(pyenv: Path) -> subprocess.CompletedProcess[str]:
    """Look for interpreters in this pyenv and nowhere else."""
    variables = {"PATH": str(pyenv), "PYENV_ROOT": str(pyenv)}
    command = [sys.executable, "tools/interpreters.py"]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env=variables, timeout=200
    )


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!{SH}\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
