"""How much cardinality this process allows, as the environment says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from slo_otel.errors import ConfigurationError

_MOST_SERIES: Final = 100_000
"""About 150 MB of series; one process of a service has no use for more (DESIGN.md 5: 1.5 KB each)."""
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Maxima:
    """Past each the rest goes into one more, so that totals stay exact (docs/operating.md)."""

    series: int
    values: int
    """Of one attribute set by code, per event name."""
    reasons: int
    """Beside those that the policy names."""


def maxima() -> Maxima:
    """Raises `ConfigurationError` for what is no number, or none that can serve."""
    return Maxima(
        series=_number("SLO_OTEL_MAX_SERIES", 10_000, least=1, most=_MOST_SERIES),
        values=_number("SLO_OTEL_MAX_VALUES", 100, least=0, most=_MOST),
        reasons=_number("SLO_OTEL_MAX_REASONS", 20, least=0, most=_MOST),
    )


def _number(variable: str, default: int, *, least: int, most: int) -> int:
    text = os.environ.get(variable, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise ConfigurationError(
            f"{variable} is {text!r}; write a number from {least} to {most}, for example {default}"
        )
    return int(text)
