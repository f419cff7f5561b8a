"""The points as a person and as a script read them, and the choice among them by attributes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from slo_otel import names
from slo_otel.receive._points import Point

__all__ = ["as_json", "as_text", "chosen"]


def chosen(points: Iterable[Point], name: str, attributes: Mapping[str, str | int]) -> tuple[Point, ...]:
    """Those of a metric that carry these attributes, `slo_name` standing for `slo.name`."""
    wanted = {names.prometheus_label(key): str(value) for key, value in attributes.items()}
    return tuple(point for point in points if point.name == name and wanted.items() <= _labels(point))


def as_text(points: Iterable[Point]) -> str:
    """Every series on a line: name, attributes, value and process."""
    return "\n".join(map(_line, points)) + "\n"


def as_json(points: Iterable[Point]) -> str:
    """Every series as a JSON list."""
    return json.dumps([_document(point) for point in points], indent=2) + "\n"


def _labels(point: Point) -> set[tuple[str, str]]:
    return {(names.prometheus_label(key), value) for key, value in point.attributes}


def _line(point: Point) -> str:
    labels = ",".join(f'{key}="{value}"' for key, value in point.attributes)
    return f"{point.name}{{{labels}}} {point.value} {point.instance}"


def _document(point: Point) -> dict[str, object]:
    found: dict[str, object] = {
        "name": point.name,
        "kind": point.kind,
        "unit": point.unit,
        "service": point.service,
        "instance": point.instance,
        "attributes": dict(point.attributes),
        "start_ns": point.start_ns,
        "time_ns": point.time_ns,
        "value": point.value,
    }
    if point.distribution is not None:
        found |= {"bounds": point.distribution.bounds, "counts": point.distribution.counts}
        found |= {"sum": point.distribution.sum}
    return found
