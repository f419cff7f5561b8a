"""wrk, the load generator: found, or installed where that is ours to do; run, and read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

_SAID = re.compile(r"(\d+) requests in ([\d.]+)(m?s)", re.ASCII)
_FAILED = re.compile(r"Socket errors:|Non-2xx")


class MissingError(SystemExit):
    """There is no wrk and no way to get it."""

    def __init__(self) -> None:
        super().__init__(
            "the end-to-end row needs wrk: apt install wrk (or brew install wrk), or leave it out: --only"
        )


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk did."""

    requests: int
    seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def ensure() -> str:
    """The path of wrk; installs it where we are root on a Debian. Raises `MissingError` elsewhere."""
    if found := shutil.which("wrk"):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing wrk (apt-get)", flush=True)
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "wrk"]
        if subprocess.run(install, check=False, capture_output=True).returncode:
            subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
            subprocess.run(install, check=False, capture_output=True)
    found = shutil.which("wrk")
    if found is None:
        raise MissingError
    return found


def load(program: str, url: str, seconds: float, core: int | None) -> Load:
    """Sixteen connections from one thread, pinned to `core` where the system can. Raises where requests failed."""
    # wrk takes whole seconds
    command = [program, "-t1", "-c16", f"-d{max(round(seconds), 1)}s", url]
    ended = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
    )
    said = _SAID.search(ended.stdout)
    if said is None or _FAILED.search(ended.stdout):
        raise RuntimeError(f"wrk failed:\n{ended.stdout}")
    return Load(int(said[1]), float(said[2]) * (0.001 if said[3] == "ms" else 1.0))
