"""The environment that the suites run in: their pinned test dependencies, the frameworks, and our distributions."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import environment

from upstream.suites import CACHE, HERE, ROOT, Suite, UnusableError, fetch

REQUIREMENTS: Final = HERE / "requirements.txt"
OURS: Final = (ROOT, ROOT / "integrations" / "django")
"""Our distributions."""
_VERSION: Final = "import sys; print('%d.%d' % sys.version_info[:2])"


def version_of(python: str) -> str:
    """`3.11` of an interpreter. Raises `UnusableError` when it does not run."""
    try:
        asked = subprocess.run([python, "-c", _VERSION], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as fault:
        raise UnusableError(f"{python} is no Python that runs: {fault}") from fault
    return asked.stdout.strip()


def made(python: str, suites: Sequence[Suite]) -> Path:
    """The interpreter of the environment, made or renewed when what it is made of changed."""
    place = CACHE / f"venv-{version_of(python)}"
    inside, stamp, wanted = place / "bin" / "python", place / environment.STAMP, digest(suites)
    known = stamp.read_text(encoding="utf-8") if stamp.exists() else ""
    if known != wanted or not environment.usable(inside):
        print(f"making {place.relative_to(ROOT)} (a minute or two the first time)", flush=True)
        subprocess.run([python, "-m", "venv", "--clear", str(place)], check=True)
    for suite in suites:
        fetch(suite, inside)
    if known != wanted or not stamp.exists():
        ours = [word for each in OURS for word in ("--editable", str(each))]
        archives = [str(suite.archive) for suite in suites]
        environment.install(inside, "--requirement", str(REQUIREMENTS), *ours, *archives)
        stamp.write_text(wanted, encoding="utf-8")
    return inside


def digest(suites: Iterable[Suite]) -> str:
    """Of what is installed: which of a suite's tests are run, and the settings of our linters, change nothing."""
    made_of = hashlib.sha256(sys.platform.encode() + REQUIREMENTS.read_bytes())
    for suite in suites:
        made_of.update(f"{suite.title} {suite.sha256}".encode())
    for each in OURS:
        project = tomllib.loads((each / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        made_of.update(json.dumps(project, sort_keys=True).encode())
    return made_of.hexdigest()
