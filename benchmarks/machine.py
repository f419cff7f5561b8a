"""What the figures depend on: the machine, the interpreter, the versions, the commit."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "slo-otel",
    "autometrics",
    "django",
    "fastapi",
    "grpcio",
    "httptools",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-instrumentation-asgi",
    "opentelemetry-instrumentation-django",
    "opentelemetry-instrumentation-wsgi",
    "opentelemetry-sdk",
    "prometheus-client",
    "prometheus-fastapi-instrumentator",
    "pydantic",
    "starlette",
    "uvicorn",
    "uvloop",
)


def facts() -> dict[str, str]:
    """Everything about this machine, as text."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "cpu": cpu(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()})",
        "free-threaded": str(not getattr(sys, "_is_gil_enabled", lambda: True)()).lower(),
        "load": f"{os.getloadavg()[0]:.1f} before the run",
        "wrk": said("wrk", "-v").split("[")[0].strip() or "absent",
    }


def packages() -> dict[str, str]:
    """The version of each package that is measured or that serves."""
    return {name: installed(name) for name in PACKAGES}


def installed(name: str) -> str:
    """The version of a distribution."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def commit() -> str:
    """The commit of the work tree, and whether it has changes; `unknown` without git."""
    found = said("git", "rev-parse", "--short=12", "HEAD")
    changed = said("git", "status", "--porcelain", "--untracked-files=no", "--", "slo_otel", "benchmarks/*.py")
    return f"{found} with changes" if found and changed else found or "unknown"


def cpu() -> str:
    """The processor's own name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    named = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return named[1] if named else platform.machine()


def said(*command: str) -> str:
    """What a command prints; nothing where it is absent. wrk answers `-v` with status 1."""
    try:
        ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    except OSError:
        return ""
    return ended.stdout.strip()
