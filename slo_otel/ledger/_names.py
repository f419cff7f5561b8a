"""Which events are counted by name: those that conditions ask for (`events NAME`, `any NAME`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from slo_otel.evaluation import Group
from slo_otel.plan import SLO, AnyEvent, CellKey, Events, Plan, value_of

Watched: TypeAlias = tuple[str, tuple[str, ...]]
"""A name, and the attributes by which it is asked for: the SLO's `per`, then those of its `where`."""


def watched(plan: Plan) -> tuple[Watched, ...]:
    """Every name of the plan's conditions with its attributes, each pair once."""
    return tuple(dict.fromkeys(_pairs(plan)))


def _pairs(plan: Plan) -> Iterator[Watched]:
    for slo in plan.slos:
        for alert in slo.alerts:
            match alert.condition:
                case Events(str(name)) | AnyEvent(str(name)):
                    yield name, _dims(slo)
                case _:
                    continue


def _dims(slo: SLO) -> tuple[str, ...]:
    where = (name for name, _ in slo.indicator.selection.where.tests)
    return tuple(dict.fromkeys((*slo.indicator.per, *where)))


def group_of(key: CellKey, dims: tuple[str, ...]) -> Group:
    """The values of `dims` on an event."""
    return tuple((name, value_of(key, name)) for name in dims)
