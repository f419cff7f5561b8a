"""What the OTEL_* environment says about exporting metrics (specification, sdk-environment-variables).

Without an endpoint metrics go to the specification's default, a Collector on localhost, as the SDK's do: two lines
and a local Collector are enough. Nothing there costs one log line, once; OTEL_METRICS_EXPORTER=none sends nothing.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from slo_otel.errors import ConfigurationError

DEFAULT_INTERVAL_NS: Final = 60_000_000_000
"""The specification's `OTEL_METRIC_EXPORT_INTERVAL`."""
HTTP: Final = "http/protobuf"
"""The specification's default protocol."""
GRPC: Final = "grpc"
NAMED: Final = {"otlp_proto_http": HTTP, "otlp_proto_grpc": GRPC}
"""The SDK's own names of its exporters of OTLP, and the protocol that each one is of."""


def interval_ns() -> int:
    """`OTEL_METRIC_EXPORT_INTERVAL` (milliseconds) in nanoseconds, 60 s unless set."""
    text = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "").strip()
    if not text:
        return DEFAULT_INTERVAL_NS
    if not re.fullmatch("0*[1-9][0-9]{0,11}", text):
        raise ConfigurationError(f"OTEL_METRIC_EXPORT_INTERVAL is {text!r}; write milliseconds, for example 60000")
    return int(text) * 1_000_000


def exporters() -> tuple[str, ...]:
    """The names in OTEL_METRICS_EXPORTER, in lower case."""
    return tuple(name.strip().lower() for name in os.environ.get("OTEL_METRICS_EXPORTER", "").split(","))


def protocol() -> str:
    """How metrics go: `http/protobuf` unless set. An exporter's name that says it wins, as in the SDK."""
    return NAMED.get(_exporter(), "") or otlp("PROTOCOL").lower() or HTTP


def _exporter() -> str:
    return next((name for name in exporters() if name == "otlp" or name in NAMED), "otlp")


def choosing(protocol: str) -> str:
    """What to write in the environment, so that metrics go by this protocol, in the place of what is there."""
    if _exporter() in NAMED:
        return f"OTEL_METRICS_EXPORTER={next(name for name, said in NAMED.items() if said == protocol)}"
    return f"{spelled('PROTOCOL')}={protocol}"


def endpoint() -> str:
    """Where metrics go; over HTTP a base URL unless it is the one for metrics."""
    return otlp("ENDPOINT") or f"http://localhost:{4317 if protocol() == GRPC else 4318}"


def shown(written: str) -> str:
    """An endpoint as it may be logged: without the user and password that it may hold."""
    return re.sub(r"//[^/?#]*@", "//", written)


def patience() -> float:
    """Seconds an export may take: OTEL_EXPORTER_OTLP_TIMEOUT where it is a time, at most 30, else 5."""
    with suppress(ValueError):
        written = float(otlp("TIMEOUT"))
        if written > 0:
            return min(written, 30.0)
    return 5.0


def otlp(name: str) -> str:
    """The value of OTEL_EXPORTER_OTLP_(METRICS_)`name`, the one for metrics first; empty where neither is set."""
    return first(*spellings(name))


def spellings(name: str) -> tuple[str, str]:
    """The two variables of a setting, the one that wins first."""
    return f"OTEL_EXPORTER_OTLP_METRICS_{name}", f"OTEL_EXPORTER_OTLP_{name}"


def spelled(name: str) -> str:
    """The variable that says a setting, or that may: the one for all signals where neither is set."""
    return next((each for each in spellings(name) if first(each)), f"OTEL_EXPORTER_OTLP_{name}")


def first(*variables: str) -> str:
    """The value of the first of these variables that is set; empty where none is."""
    return next((text for name in variables if (text := os.environ.get(name, "").strip())), "")


@cache
def own_version() -> str | None:
    """The version of this package; None where it is not installed."""
    try:
        return version("slo-otel")
    except PackageNotFoundError:
        return None
