"""`slo-otel run`: the command, its environment, its exit, and a `sitecustomize` that somebody else has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slo_otel.auto import bootstrap_path
from slo_otel.cli._run import measured
from tests.auto.services import environment
from tests.auto.shops import POLICY

RUN = [sys.executable, "-m", "slo_otel", "run"]
PROBE = "import sys; print('slo_otel.auto' in sys.modules, sys.argv[1:])"


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a directory with a policy."""
    (folder / "slo.yaml").write_text(POLICY, encoding="utf-8")
    whole = {**environment("http://127.0.0.1:9"), **more}
    kept = {name: text for name, text in whole.items() if text}
    return subprocess.run([*RUN, *arguments], cwd=folder, env=kept, capture_output=True, text=True, check=False)


def test_the_command_gets_its_own_arguments(tmp_path: Path) -> None:
    """Options after the command are the command's, with `--` and without."""
    for dashes in ([], ["--"]):
        ran = run(tmp_path, *dashes, sys.executable, "-c", PROBE, "--policy", "x", "-v")
        assert (ran.stdout, ran.stderr, ran.returncode) == ("True ['--policy', 'x', '-v']\n", "", 0)


def test_the_command_takes_the_place_of_ours(tmp_path: Path) -> None:
    """One process, so that signals and the exit code are the service's."""
    code = "import os, sys; print(os.environ['_SLO_OTEL_RUN'] == str(os.getpid())); sys.exit(7)"
    ran = run(tmp_path, sys.executable, "-c", code)
    assert (ran.stdout, ran.returncode) == ("True\n", 7)


def test_the_policy_of_the_option_is_absolute(tmp_path: Path) -> None:
    """It wins over the variable, and servers that change their directory find it."""
    given = {"SLO_OTEL_POLICY": "other.yaml", "PATH": "/bin"}
    found = measured(given, Path("slo.yaml"), 1)
    assert found["SLO_OTEL_POLICY"] == str(Path.cwd() / "slo.yaml")
    assert measured(given, None, 1)["SLO_OTEL_POLICY"] == str(Path.cwd() / "other.yaml")
    assert "SLO_OTEL_POLICY" not in measured({}, None, 1)


def test_our_directory_is_first_on_the_path_and_there_once() -> None:
    """Whatever was there stays, in its order; within another `run` nothing is added."""
    ours = str(bootstrap_path())
    found = measured({"PYTHONPATH": os.pathsep.join(["/a", "", "/b"])}, None, 1)
    assert found["PYTHONPATH"].split(os.pathsep) == [ours, "/a", "/b"]
    assert measured(found, None, 2)["PYTHONPATH"] == found["PYTHONPATH"]


def test_without_a_policy_one_line_says_so_and_the_command_runs(tmp_path: Path) -> None:
    """A service is worth more than its measurement; its Python does not even load us."""
    ran = run(tmp_path, sys.executable, "-c", PROBE, SLO_OTEL_POLICY="")
    assert ran.stdout == "False []\n"
    assert ran.stderr == "slo-otel run: nothing is measured: give --policy, or set SLO_OTEL_POLICY\n"
    assert run(tmp_path, "true", SLO_OTEL_POLICY="", SLO_OTEL_DISABLED="1").stderr == ""


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_policy_that_is_not_there_starts_nothing(tmp_path: Path, by: str) -> None:
    """A slip in its path is told before the server serves, and not once a worker after it: one line, exit 2."""
    option, variables = (
        (["--policy", "nosuch.yaml"], {}) if by == "option" else ([], {"SLO_OTEL_POLICY": "nosuch.yaml"})
    )
    ran = run(tmp_path, *option, "--", sys.executable, "-c", PROBE, **variables)
    why = f"cannot read the policy 'nosuch.yaml' (from {tmp_path.resolve()}): No such file or directory"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"slo-otel run: nothing is started: {why}\n")


def test_a_policy_with_mistakes_starts_nothing(tmp_path: Path) -> None:
    """Each mistake once, with its place and fix, as `lint` has it."""
    (tmp_path / "broken.yaml").write_text("version: slo/v1\nservise: shop\n", encoding="utf-8")
    ran = run(tmp_path, "--policy", "broken.yaml", sys.executable, "-c", PROBE)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("slo-otel run: nothing is started:\nbroken.yaml:")
    assert ran.stderr.count("broken.yaml:2:1: error: ") == 1
    assert "    fix: " in ran.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [("SLO_OTEL_SIGTERM", "ture"), ("OTEL_METRIC_EXPORT_INTERVAL", "often"), ("SLO_OTEL_MAX_SERIES", "few")],
)
def test_an_environment_that_cannot_work_starts_nothing(tmp_path: Path, name: str, text: str) -> None:
    """What every worker would refuse is refused once, before there are any."""
    ran = run(tmp_path, sys.executable, "-c", PROBE, **{name: text})
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"slo-otel run: nothing is started: {name} is '{text}'; write ")


def test_a_process_that_is_switched_off_needs_no_policy(tmp_path: Path) -> None:
    """`SLO_OTEL_DISABLED=1` is the way out in a hurry: whatever is wrong with the policy, the service starts."""
    ran = run(tmp_path, "--policy", "nosuch.yaml", sys.executable, "-c", "print(1)", SLO_OTEL_DISABLED="1")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1\n", "")


def test_a_misspelt_name_is_said_where_no_policy_is_named(tmp_path: Path) -> None:
    """Nothing else would read the environment; where there is a policy, the process that is measured says it."""
    ran = run(tmp_path, "true", SLO_OTEL_POLICY="", SLO_OTEL_POLCY="slo.yaml")
    assert ran.returncode == 0
    assert ran.stderr.splitlines() == [
        "slo-otel run: SLO_OTEL_POLCY is no variable that this version knows; did you mean SLO_OTEL_POLICY?",
        "slo-otel run: nothing is measured: give --policy, or set SLO_OTEL_POLICY",
    ]


def test_what_cannot_be_run_exits_as_in_a_shell(tmp_path: Path) -> None:
    """127 for a command that is not there, 126 for a file that is none, each with a line."""
    missing = run(tmp_path, "no-such-command")
    assert (missing.returncode, missing.stderr) == (127, "slo-otel run: no-such-command: not found\n")
    useless = run(tmp_path, "./slo.yaml")
    assert (useless.returncode, useless.stderr) == (126, "slo-otel run: ./slo.yaml: Permission denied\n")


def test_a_sitecustomize_of_the_service_runs_as_without_us(tmp_path: Path) -> None:
    """It is the module of that name afterwards, and children inherit both."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys\nsys.ours = 'the service'\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path / "site"), environment("")["PYTHONPATH"]])
    child = "import sys; print(sys.ours, 'slo_otel.auto' in sys.modules, sys.modules['sitecustomize'].__file__)"
    code = f"import subprocess, sys\n{child}\nsys.stdout.flush()\nsubprocess.run([sys.executable, '-c', {child!r}])"
    ran = run(tmp_path, sys.executable, "-c", code, PYTHONPATH=path)
    assert ran.stdout == 2 * f"the service True {tmp_path / 'site' / 'sitecustomize.py'}\n", ran.stderr


def test_a_sitecustomize_that_fails_is_reported_by_python_and_ours_has_begun(tmp_path: Path) -> None:
    """Python says what it says without us, and goes on."""
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('of the service')\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), environment("")["PYTHONPATH"]])
    ran = run(tmp_path, sys.executable, "-c", PROBE, PYTHONPATH=path)
    assert ran.stdout == "True []\n"
    assert "RuntimeError: of the service" in ran.stderr


def test_a_python_without_us_runs_the_service_and_says_why_it_is_not_measured(tmp_path: Path) -> None:
    """An interpreter of another environment: one line from the process that was to run, none from its children."""
    (tmp_path / "slo_otel.py").write_text("raise ImportError('not of this Python')\n", encoding="utf-8")
    path = os.pathsep.join([str(bootstrap_path()), str(tmp_path)])
    child = "import subprocess, sys; print('serving', flush=True); subprocess.run([sys.executable, '-c', 'pass'])"
    here = {**environment(""), "PYTHONPATH": path}
    again = f"os.execv(sys.executable, [sys.executable, '-c', {child!r}])"
    code = f"import os, sys; os.environ['_SLO_OTEL_RUN'] = str(os.getpid()); {again}"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, env=here, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "serving\n"
    assert ran.stderr.count("\n") == 1
    assert "nothing is measured" in ran.stderr
