"""What every exported series needs: a start time that never moves, and attributes in OpenTelemetry's words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from slo_otel import names

Attributes = Mapping[str, str]
Group = tuple[tuple[str, str], ...]


class Starts:
    """The start time of each cumulative series: fixed when the series is first seen (OTLP data model).

    A start must lie before the point's time. A series may be younger than the tick whose time its first point has,
    and a wall clock that stepped back is behind every start: only then is what is sent one nanosecond before it.
    """

    def __init__(self) -> None:
        self._starts: dict[Hashable, int] = {}

    def of(self, series: Hashable, born_ns: int, time_ns: int) -> int:
        """The start of `series`, which is `born_ns` when this is its first point."""
        return min(self._starts.setdefault(series, min(born_ns, time_ns - 1)), time_ns - 1)


def attributes(slo: str, group: Group, extra: Mapping[str, str] | None = None) -> Attributes:
    """`slo.name`, the group's attributes translated, and `extra`."""
    return {
        names.SLO_NAME: slo,
        **{names.attribute(name): value for name, value in group},
        **(extra or {}),
    }
