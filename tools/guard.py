"""Guards of a release: the public names and their signatures are those on file, version and changelog agree.

python tools/guard.py            compare with tools/public_api.txt
python tools/guard.py --update   accept a deliberate change
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
ON_FILE = ROOT / "tools" / "public_api.txt"
PUBLIC = (
    "slo_otel",
    "slo_otel.adapters",
    "slo_otel.testing",
    "slo_otel.receive",
    "slo_otel.wsgi",
    "slo_otel_django",
)
# Defaults such as `<object object at 0x7f..>` would differ in every run.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def signature(thing: object) -> str:
    """The signature as text, the same on every Python; empty for what has none and for enumerations."""
    if isinstance(thing, EnumType):
        return ""
    try:
        return _ADDRESS.sub("", str(inspect.signature(thing))).replace("'", "")  # type: ignore[arg-type]  # not callable: TypeError
    except (TypeError, ValueError):
        return ""


def members(name: str, owner: type) -> Iterator[str]:
    """The public methods, properties and fields that a class declares."""
    for member, value in sorted(vars(owner).items()):
        if member.startswith("_"):
            continue
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        yield f"{name}.{member}{signature(function) if callable(function) else ''}"


def describe(module: ModuleType) -> Iterator[str]:
    """One line for each public name of a module and each public member of its classes."""
    for name in module.__all__:
        thing = getattr(module, name)
        yield f"{module.__name__}.{name}{signature(thing)}"
        if inspect.isclass(thing):
            yield from members(f"{module.__name__}.{name}", thing)


def public_api() -> list[str]:
    """Every public name with its signature, sorted."""
    return sorted(line for name in PUBLIC for line in describe(importlib.import_module(name)))


def api_problems() -> list[str]:
    """The difference to the file, if any."""
    known = ON_FILE.read_text(encoding="utf-8").splitlines() if ON_FILE.exists() else []
    difference = list(difflib.unified_diff(known, public_api(), "on file", "in the code", lineterm="", n=0))
    if difference:
        difference.append("deliberate? run `python tools/guard.py --update` and note it in CHANGELOG.md")
    return difference


def version_problems() -> list[str]:
    """The newest changelog entry must be the version of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = project["project"]["version"]
    newest = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    if newest is None or newest[1] != declared:
        said = newest[1] if newest else "nothing"
        return [f"pyproject.toml says version {declared}, the newest entry of CHANGELOG.md is {said}"]
    return []


def main(arguments: list[str]) -> int:
    """0 when nothing changed unnoticed."""
    if "--update" in arguments:
        ON_FILE.write_text("\n".join(public_api()) + "\n", encoding="utf-8")
    problems = [*api_problems(), *version_problems()]
    print("\n".join(problems) or "public names, version and changelog agree")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
