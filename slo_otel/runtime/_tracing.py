"""Whether anybody traces, and what of it is wanted: exemplars by OpenTelemetry's variable, attributes by ours.

A tracer provider may be set after `configure`, so it is looked for until there is one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation import Active, ExemplarFilter, SpanAttributes, traced

if TYPE_CHECKING:
    from enum import StrEnum

_EXEMPLARS: Final = "OTEL_METRICS_EXEMPLAR_FILTER"
_ATTRIBUTES: Final = "SLO_OTEL_SPAN_ATTRIBUTES"
E = TypeVar("E", bound="StrEnum")


@dataclass(frozen=True, slots=True)
class Tracing:
    """What the environment wants of traces."""

    exemplars: ExemplarFilter = ExemplarFilter.TRACE_BASED
    attributes: SpanAttributes = SpanAttributes.NONE

    def look(self, active: Active) -> bool:
        """Give a runtime what it needs for the spans of this process; whether that is new to it."""
        if self._nothing:
            return False
        before = active.spans
        active.spans = traced(active, self.exemplars, self.attributes)
        return active.spans is not before

    @property
    def _nothing(self) -> bool:
        return self.exemplars is ExemplarFilter.ALWAYS_OFF and self.attributes is SpanAttributes.NONE


def tracing(*, sends: bool) -> Tracing:
    """What the environment says; there are no exemplars where nothing `sends` them.

    Raises `ConfigurationError` for a word that is none of theirs.
    """
    exemplars = _word(_EXEMPLARS, ExemplarFilter, ExemplarFilter.TRACE_BASED)
    attributes = _word(_ATTRIBUTES, SpanAttributes, SpanAttributes.NONE)
    return Tracing(exemplars if sends else ExemplarFilter.ALWAYS_OFF, attributes)


def _word(variable: str, words: type[E], default: E) -> E:
    text = os.environ.get(variable, "").strip().lower()
    try:
        return words(text) if text else default
    except ValueError:
        raise ConfigurationError(f"{variable} is {text!r}; write {', '.join(words)}") from None
