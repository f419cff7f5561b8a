"""The rules of the house for `integrations/django`: what it imports, how large its rooms are, its release."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "integrations" / "django" / "slo_otel_django"
OTHERS = {"asgiref", "django", "ninja", "rest_framework"}
"""Of these the last two are imported where a project has them only; asgiref is Django's own foundation."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """Every import of a module, as (module, name)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def is_public(module: str, name: str | None) -> bool:
    """Whether a name of the core is one of its public ones: in `__all__` of a module without an underscore."""
    if any(part.startswith("_") for part in module.split(".")):
        return False
    found = importlib.import_module(module)
    return name is None or name in getattr(found, "__all__", ()) or _is_module(f"{module}.{name}")


def _is_module(name: str) -> bool:
    """A public module of the core, imported by its name."""
    return not name.rpartition(".")[2].startswith("_") and importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_only_public_names_of_the_core_are_imported(path: Path) -> None:
    """An adapter that reaches into the core would break with a release that changes nothing public."""
    ours = [(module, name) for module, name in imports(path) if module.split(".")[0] == "slo_otel"]
    assert [pair for pair in ours if not is_public(*pair)] == []


def test_a_private_name_would_be_noticed() -> None:
    """The rule can fail: private modules, and names that a public module merely holds, are refused."""
    assert not is_public("slo_otel.instrumentation._http", "FRAME")
    assert not is_public("slo_otel.instrumentation", "_http")
    assert not is_public("slo_otel.policy", "annotations")
    assert is_public("slo_otel", "policy")
    assert is_public("slo_otel.adapters", "HttpDoor")


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_nothing_else_is_imported_than_what_is_declared(path: Path) -> None:
    """The standard library, Django with its asgiref, the core, and what a project that uses it has."""
    roots = {module.split(".")[0] for module, _ in imports(path)}
    assert roots - set(sys.stdlib_module_names) - OTHERS <= {"slo_otel", "slo_otel_django"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_a_module_has_at_most_250_lines(path: Path) -> None:
    """Small rooms."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


def test_importing_it_loads_no_other_framework_and_no_heavy_library() -> None:
    """Django's settings are not needed either: `INSTALLED_APPS` imports it before they are complete."""
    heavy = [
        "fastapi",
        "flask",
        "grpc",
        "ninja",
        "opentelemetry",
        "pydantic",
        "rest_framework",
        "ruamel",
        "starlette",
    ]
    code = f"import sys, slo_otel_django; print(*[name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=200)
    assert ended.stdout.split() == []


def test_it_is_in_lock_step_with_the_core() -> None:
    """One version for both, and each requires the other one's minor version."""
    core, ours = (
        tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        for path in (ROOT / "pyproject.toml", ROOT / "integrations" / "django" / "pyproject.toml")
    )
    major, minor, _ = core["version"].split(".")
    bounds = f">={core['version']},<{major}.{int(minor) + 1}"
    assert ours["version"] == core["version"]
    assert f"slo-otel{bounds}" in ours["dependencies"]
    assert core["optional-dependencies"]["django"] == [f"slo-otel-django{bounds}"]


def test_its_licence_is_the_core_ones() -> None:
    """A wheel carries its own copy."""
    assert (PACKAGE.parent / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
