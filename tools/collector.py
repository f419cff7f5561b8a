"""Build the Collector of the end-to-end tests from its Go modules, once for each go.sum, and print its path."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "tests" / "e2e" / "collector"
NEEDED = (1, 25)
_MISSING = "make e2e needs Go {}.{} or newer on the PATH (https://go.dev/doc/install); {}"


def binary() -> Path:
    """Where the binary of these sources is kept: its name carries their hash."""
    digest = hashlib.sha256()
    for name in ("go.sum", "go.mod", "components.go", "main.go"):
        digest.update((SOURCES / name).read_bytes())
    return ROOT / ".cache" / f"otelcol-{digest.hexdigest()[:16]}"


def go_missing() -> str | None:
    """One line when Go is absent or too old."""
    if shutil.which("go") is None:
        return _MISSING.format(*NEEDED, "there is none")
    said = subprocess.run(["go", "version"], check=True, capture_output=True, text=True).stdout
    match = re.search(r"go(\d+)\.(\d+)", said)
    if match is None or tuple(map(int, match.groups())) < NEEDED:
        return _MISSING.format(*NEEDED, f"there is {said.strip()}")
    return None


def build(target: Path) -> None:
    """Build beside the target and rename, so that an interrupted build leaves no half binary."""
    target.parent.mkdir(exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}")
    command = [
        "go",
        "build",
        "-mod=readonly",
        "-trimpath",
        "-buildvcs=false",
        "-ldflags=-s -w",
        "-o",
        str(partial),
        ".",
    ]
    subprocess.run(command, check=True, cwd=SOURCES, env=os.environ | {"GOWORK": "off", "GOTOOLCHAIN": "local"})
    partial.rename(target)


def main() -> int:
    """0 with the binary in place."""
    if missing := go_missing():
        print(missing, file=sys.stderr)
        return 1
    target = binary()
    if not target.exists():
        print("building the Collector from its Go modules (one to two minutes the first time)", flush=True)
        build(target)
    print(target.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
