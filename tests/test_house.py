"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "slo_otel"
MAX_LINES = 400
# Spelled apart, so that this file does not contain what it looks for.
MACHINE_PATHS = ("/" + "root/", "/" + "work/", "/" + "tmp/otc", "/" + "home/")
ALLOWED_HOSTS = frozenset({"pypi.org", "files.pythonhosted.org"})
DISTRIBUTIONS = {
    "google.protobuf": "opentelemetry-exporter-otlp-proto-http",  # what it sends is made of both
    "google.rpc": "googleapis-common-protos",
    "grpc": "grpcio",
    "opentelemetry.context": "opentelemetry-api",
    "opentelemetry.metrics": "opentelemetry-api",
    "opentelemetry.proto": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry.trace": "opentelemetry-api",
    "opentelemetry.util": "opentelemetry-api",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic",
    "requests": "requests",
    "rich": "rich",
    "ruamel.yaml": "ruamel-yaml",
    "typer": "typer",
    "urllib3": "urllib3",
}
"""Where each import comes from, among the dependencies and extras of pyproject.toml."""
NOT_IMPORTED = {"httpx", "slo-otel-django"}
"""Declared all the same: what reads a Prometheus server one day, and the extra that stands for a distribution."""
HOSTS = {"django", "pytest"}
"""Who is there already where we import them."""
HOMES = {
    "google": {"export", "receive"},
    "grpc": {"export", "receive"},
    "opentelemetry.exporter": {"export"},
    "opentelemetry.proto": {"export", "receive"},
    "pydantic": {"policy"},
    "pydantic_core": {"policy"},
    "pytest": {"testing"},
    "requests": {"export"},
    "rich": {"cli"},
    "ruamel": {"policy"},
    "typer": {"cli"},
    "urllib3": {"export"},
}
"""The stages that may import a heavy library: the others can be read, and loaded, without it (DESIGN.md 2)."""


def tracked() -> list[Path]:
    """The files of the project: those git knows, or all of a source archive on a machine without git."""
    if shutil.which("git") and (ROOT / ".git").exists():
        asked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
        return [path for name in asked.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    parts = [ROOT / part for part in ("slo_otel", "tests", "examples", "docs", "tools")]
    found = [path for part in parts for path in part.rglob("*.*") if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts]


def texts(*suffixes: str) -> Iterator[tuple[Path, str]]:
    """The tracked text files, all of them or those with a suffix."""
    for path in tracked():
        if not suffixes or path.suffix in suffixes:
            yield path, path.read_text(encoding="utf-8")


def project() -> dict[str, object]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def protected_modules() -> list[str]:
    """The private modules that the import contracts name."""
    pyproject = project()
    assert isinstance(pyproject["tool"], dict)
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    return [
        name for contract in contracts if contract["type"] == "protected" for name in contract["protected_modules"]
    ]


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    """The import name of a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_every_private_module_is_protected_by_a_contract() -> None:
    """A private module that no contract names could be imported by another stage unnoticed."""
    private = [dotted(path) for path in modules() if path.name.startswith("_") and path.name[1] != "_"]
    assert sorted(protected_modules()) == sorted(private)


def test_only_the_own_stage_may_import_a_private_module() -> None:
    """Each protected contract allows the stage that the modules belong to and nobody else."""
    pyproject = project()
    assert isinstance(pyproject["tool"], dict)
    for contract in pyproject["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "protected":
            stages = {name.rsplit(".", 1)[0] for name in contract["protected_modules"]}
            assert [*stages] == contract["allowed_importers"]


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_module_has_at_most_400_lines(path: Path) -> None:
    """A module that outgrows one responsibility is split (DESIGN.md 2)."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_no_module_is_named_after_nothing(path: Path) -> None:
    """Names such as `utils` say no responsibility and collect everything."""
    words = {word.strip("_") for word in path.relative_to(ROOT).with_suffix("").parts}
    assert not words & {"utils", "util", "common", "helpers", "helper", "core", "misc"}


def _tests_of(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def test_every_test_says_in_one_sentence_what_it_proves() -> None:
    """The first line of each test is a docstring that ends as a sentence."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path, text in texts(".py")
        if path.name.startswith("test_") and path.is_relative_to(ROOT / "tests")
        for node in _tests_of(ast.parse(text))
        if not (ast.get_docstring(node) or "").split("\n\n")[0].rstrip().endswith((".", "?"))
    ]
    assert silent == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    """A test that does not run proves nothing; what cannot run here is marked e2e."""
    banned = re.compile(r"\bpytest\.(skip|xfail|importorskip)\b|\bmark\.(skip|skipif|xfail)\b")
    found = [
        str(path.relative_to(ROOT))
        for path, text in texts(".py")
        if path.is_relative_to(ROOT / "tests") and path != Path(__file__) and banned.search(text)
    ]
    assert found == []


def test_nothing_is_left_for_later_in_the_code() -> None:
    """No tracked source carries a to-do, and no function is a stub."""
    banned = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b")
    assert [str(path.relative_to(ROOT)) for path, text in texts(".py", ".sh", ".toml") if banned.search(text)] == []


def test_every_variable_of_ours_is_documented() -> None:
    """An environment variable that only the code knows is a setting nobody can find, and so is a misspelt one."""
    ours = re.compile(r"\bSLO_OTEL_[A-Z_]+\b")
    read = {name for path in modules() for name in ours.findall(path.read_text(encoding="utf-8"))}
    assert read == set(ours.findall((ROOT / "docs" / "operating.md").read_text(encoding="utf-8")))


def test_no_tracked_file_names_a_machine() -> None:
    """Paths of one machine mean nothing on another and tell where the project was written."""
    found = [
        f"{path.relative_to(ROOT)}: {place}" for path, text in texts() for place in MACHINE_PATHS if place in text
    ]
    assert found == []


def test_the_lock_file_names_the_public_index_only() -> None:
    """A lock written against a mirror would be useless, and public, everywhere else."""
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://([^/\"]+)", lock)) <= ALLOWED_HOSTS


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~ ;]", requirement)[0].lower().replace(".", "-") for requirement in requirements}


def test_the_lock_file_knows_every_dependency() -> None:
    """A dependency added to pyproject.toml without `uv lock` would be missing for whoever uses uv."""
    pyproject = project()
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    [ours] = [package["metadata"] for package in packages if package["name"] == "slo-otel"]
    assert isinstance(pyproject["project"], dict)
    assert isinstance(pyproject["dependency-groups"], dict)
    extras = pyproject["project"]["optional-dependencies"].values()
    declared = _names([*pyproject["project"]["dependencies"], *(name for extra in extras for name in extra)])
    assert {entry["name"] for entry in ours["requires-dist"]} == declared
    locked = {group: {entry["name"] for entry in entries} for group, entries in ours["requires-dev"].items()}
    assert locked == {group: _names(lines) for group, lines in pyproject["dependency-groups"].items()}


def _imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a source names in its imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _distribution(module: str) -> str:
    """The distribution of a third-party module; the module itself when the table does not know it."""
    homes = (DISTRIBUTIONS[name] for name in DISTRIBUTIONS if f"{module}.".startswith(f"{name}."))
    return next(homes, module)


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    """An undeclared import works by accident, and a dependency nothing imports costs every user."""
    pyproject = project()
    assert isinstance(pyproject["project"], dict)
    extras = pyproject["project"]["optional-dependencies"].values()
    declared = _names([*pyproject["project"]["dependencies"], *(name for extra in extras for name in extra)])
    found = {name for path in modules() for name in _imported(ast.parse(path.read_text(encoding="utf-8")))}
    foreign = {name for name in found if name.split(".")[0] not in {*sys.stdlib_module_names, "slo_otel", *HOSTS}}
    assert {_distribution(name) for name in foreign} == declared - NOT_IMPORTED


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_stays_in_its_stage(library: str) -> None:
    """What pydantic, an exporter or a terminal may change under us, it changes in one place."""
    users = {
        path.relative_to(PACKAGE).with_suffix("").parts[0]
        for path in modules()
        for name in _imported(ast.parse(path.read_text(encoding="utf-8")))
        if f"{name}.".startswith(f"{library}.")
    }
    assert users <= HOMES[library]


def test_the_version_is_the_newest_entry_of_the_changelog() -> None:
    """One static version, in pyproject.toml, and a changelog that starts with it."""
    pyproject = project()
    assert isinstance(pyproject["project"], dict)
    newest = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == pyproject["project"]["version"]
