"""The environment variables of ours, and whether what the environment says can be what was meant.

A name with a slip in it is one that nobody reads, and a word that is no flag is the default: both silently. So
`configure` asks here, as `slo-otel run` does before it starts anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from slo_otel.errors import ConfigurationError, decided, logger

_OURS: Final = "SLO_OTEL_"
FLAGS: Final = ("SLO_OTEL_DISABLED", "SLO_OTEL_SERVERLESS", "SLO_OTEL_SIGTERM", "SLO_OTEL_STRICT")
"""Those that say yes or no."""
NAMES: Final = (
    *FLAGS,
    "SLO_OTEL_MAX_REASONS",
    "SLO_OTEL_MAX_SERIES",
    "SLO_OTEL_MAX_VALUES",
    "SLO_OTEL_POLICY",
    "SLO_OTEL_SPAN_ATTRIBUTES",
)
"""All that this version reads."""
_ALIKE: Final = 0.7
"""How much of two names must agree beside what all of ours begin with (difflib's ratio)."""
_KUBERNETES: Final = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)")
"""What a pod is told of the services of its namespace (Kubernetes, Accessing the Service): one may be slo-otel."""
_OPENTELEMETRYS: Final = (
    "OTEL_SDK_DISABLED",
    "OTEL_EXPORTER_OTLP_INSECURE",
    "OTEL_EXPORTER_OTLP_METRICS_INSECURE",
)
"""Flags of the specification that we read too."""


def check() -> None:
    """Raises `ConfigurationError` for a flag that says neither yes nor no."""
    for name in FLAGS:
        if not decided(name):
            raise ConfigurationError(f"{name} is {os.environ[name]!r}; write 1 or 0")


def warn() -> None:
    """A line of the log for each thing that is likely not what was meant."""
    for remark in remarks():
        logger.warning("slo_otel: %s", remark)


def remarks() -> Iterator[str]:
    """What to say, a sentence each: of names that nobody reads, and of OpenTelemetry's flags, false by its rule.

    Neither is refused: another version of ours may know the name, and the specification decides the other (Boolean,
    sdk-environment-variables: all but `true` is false, and a warning is due).
    """
    for name, text in sorted(os.environ.items()):
        if text and name.upper().startswith(_OURS) and name not in NAMES and not _KUBERNETES.fullmatch(name):
            yield f"{name} is no variable that this version knows{_meant(name)}"
    for name in _OPENTELEMETRYS:
        text = os.environ.get(name, "").strip()
        if text.lower() not in ("", "true", "false"):
            yield f"{name} is {text!r}, which is false by OpenTelemetry's specification; write true or false"


def _meant(name: str) -> str:
    from difflib import get_close_matches  # every Python under a launcher loads this module, and few have a slip

    ends = {known.removeprefix(_OURS): known for known in NAMES}
    near = get_close_matches(name.upper().removeprefix(_OURS), ends, 1, _ALIKE)
    return f"; did you mean {ends[near[0]]}?" if near else ""
