"""Mutation testing of what the numbers stand on: the parsing of units, the recorder, the evaluation.

    python tools/mutate.py [FILE_OR_DIRECTORY ...]

mutmut changes one thing at a time in a copy under .cache/mutate and runs the tests that reach the changed
function; its configuration is in pyproject.toml. A mutant that no test noticed, or whose tests took too long
(as they may on a busy machine), is tried again in a process of its own, with more examples, where it is there
from the first import. Who survives that too is printed, unless tests/judged_mutants.toml says why it does not
matter. Mutants are told apart by their function and the lines they change, so moved lines stay judged.
"""

from __future__ import annotations

import ast
import difflib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

import environment

ROOT = environment.ROOT
VENV = ROOT / ".cache" / "venv-mutation"
STAGE = ROOT / ".cache" / "mutate"
JUDGED = ROOT / "tests" / "judged_mutants.toml"
COPIED = ("slo_otel", "tests", "examples", "pyproject.toml")
_NAME = re.compile(r"(?P<module>[\w.]+)\.x(?:_|ǁ(?P<owner>\w+)ǁ)(?P<function>\w+)__mutmut_\d+")
_RESULT = re.compile(r"\s+(\S+__mutmut_\d+): (.+)")
_EVERY = 10.0
_LONGEST = 20
"""Seconds of CPU that a process of its own may take; a mutant that takes more does not end."""
_PATIENCE = 60
"""Seconds that one test of it may take, however busy the machine is; a mutant that waits for ever takes no CPU."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a mutant is, whatever number it has in a run: its function, and the text before and after."""

    function: str
    before: str
    after: str


class Judged(TypedDict):
    """Mutants of one function that do not matter, as pairs of the text before and after."""

    function: str
    reason: str
    mutants: list[tuple[str, str]]


def command(*words: str, **variables: str) -> list[str]:
    """A command in the environment of the mutants, as gentle as can be; sets have one order, so runs repeat."""
    settings = [f"{name}={value}" for name, value in variables.items()]
    path = f"PATH={VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return ["nice", "-n", "10", "env", path, "PYTHONHASHSEED=0", *settings, *words]


def prepare() -> None:
    """A fresh copy of what is mutated and of the tests, beside the environment with the tool."""
    if not environment.renewed(VENV) and environment.main(VENV, "mutation"):
        sys.exit(1)
    shutil.rmtree(STAGE, ignore_errors=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, STAGE / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, STAGE / name)


def pattern(path: str) -> str:
    """The names of the mutants of a file or a directory, as mutmut wants them."""
    return path.removesuffix("/").removesuffix(".py").replace("/", ".") + ".*"


def mutate(patterns: list[str]) -> None:
    """Run mutmut, with a line of its progress every ten seconds and all of its words when it fails."""
    workers = os.environ.get("WORKERS", "2")
    run = command("mutmut", "run", "--max-children", workers, *patterns, HYPOTHESIS_PROFILE="brief")
    said, shown = "", time.monotonic()
    with subprocess.Popen(run, cwd=STAGE, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as mutmut:
        for line in mutmut.stdout or ():
            said = (said + line)[-10_000:]
            if time.monotonic() - shown > _EVERY:
                print(line.strip(), flush=True)
                shown = time.monotonic()
    if mutmut.returncode:
        sys.exit(f"{said}\nmutmut failed")


def results() -> dict[str, str]:
    """Every mutant that was tried, and what became of it: killed, survived, timeout, no tests, suspicious, …"""
    listed = subprocess.run(
        command("mutmut", "results", "--all", "true"), cwd=STAGE, check=True, capture_output=True, text=True
    )
    found = (_RESULT.fullmatch(line) for line in listed.stdout.splitlines())
    return {match[1]: match[2] for match in found if match and match[2] != "not checked"}


def change(name: str) -> Change:
    """What one mutant is: how the lines of its function differ from those of the original beside it."""
    known, own = functions(module(name)), name.rpartition(".")[2]
    pair = known[own.rpartition("_")[0] + "_orig"], known[own]
    different = list(difflib.unified_diff(*pair, n=0, lineterm=""))[2:]
    before, after = ("\n".join(line[1:].strip() for line in different if line.startswith(sign)) for sign in "-+")
    return Change(function(name), before, after)


@lru_cache
def functions(module: str) -> dict[str, list[str]]:
    """The lines of every function of a mutated module by its name, mutants and originals, without that name."""
    source = (STAGE / "mutants" / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    lines = source.splitlines()
    return {
        node.name: [line.replace(node.name, "") for line in lines[node.lineno - 1 : node.end_lineno]]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }


def module(name: str) -> str:
    """The module of a mutant."""
    found = _NAME.fullmatch(name)
    return found["module"] if found else name


def function(name: str) -> str:
    """The function of a mutant, with its class."""
    found = _NAME.fullmatch(name)
    return ".".join(filter(None, (found["module"], found["owner"], found["function"]))) if found else name


def outlives(name: str) -> bool:
    """Whether its stage's tests pass, with all examples, where the mutant is there from the first import on."""
    configured = tomllib.loads((STAGE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    stage = module(name).split(".")[1]
    tests = [words for words in configured["pytest_add_cli_args_test_selection"] if stage in words]
    pytest = ("python", "-m", "pytest", "-x", "-q", "-p", "no:randomly", f"--timeout={_PATIENCE}", *tests)
    run = command("sh", "-c", f'ulimit -t {_LONGEST}; exec "$@"', "sh", *pytest, MUTANT_UNDER_TEST=name)
    return subprocess.run(run, cwd=STAGE / "mutants", check=False, capture_output=True).returncode == 0


def judged() -> dict[Change, str]:
    """The mutants that do not matter, each with the reason."""
    groups: list[Judged] = tomllib.loads(JUDGED.read_text(encoding="utf-8"))["judged"]
    return {
        Change(group["function"], before, after): group["reason"]
        for group in groups
        for before, after in group["mutants"]
    }


def survivors(found: dict[str, str], known: dict[Change, str]) -> Iterator[tuple[str, Change, bool]]:
    """Who was not noticed: its name, what it is, and whether it is judged."""
    for name, verdict in found.items():
        if verdict != "killed":
            what = change(name)
            if what in known:
                yield name, what, True
            elif outlives(name):
                print(f"{what.function} ({name.rpartition('_')[2]})\n- {what.before}\n+ {what.after}\n", flush=True)
                yield name, what, False


def table(found: dict[str, str], left: list[tuple[str, Change, bool]]) -> str:
    """Module × mutants, killed, timed out, judged, survived."""
    alive = {name for name, _, _ in left}
    every = Counter(map(module, found))
    late = Counter(module(name) for name in found if found[name] == "timeout" and name not in alive)
    old = Counter(module(name) for name, _, known in left if known)
    new = Counter(module(name) for name, _, known in left if not known)
    rows = [
        (name, every[name], every[name] - late[name] - old[name] - new[name], late[name], old[name], new[name])
        for name in sorted(every)
    ]
    total = ("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))
    head = ("module", "mutants", "killed", "timed out", "judged", "survived")
    return "\n".join(f"{line[0]:36}" + "".join(f"{cell:>10}" for cell in line[1:]) for line in (head, *rows, total))


def main(paths: list[str]) -> int:
    """0 when nobody survives who is not judged."""
    prepare()
    mutate(list(map(pattern, paths)))
    found, known = results(), judged()
    left = list(survivors(found, known))
    print(table(found, left))
    if not paths:
        for gone in known.keys() - {what for _, what, _ in left}:
            print(f"judged, but no survivor any more: {gone.function}\n- {gone.before}\n+ {gone.after}")
    return any(not known for _, _, known in left)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
