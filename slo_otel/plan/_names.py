"""From what code calls an event to every name the policy knows it by."""

from __future__ import annotations

from slo_otel.plan._events import CellKey
from slo_otel.plan._slo import Plan


def resolve(plan: Plan, key: CellKey) -> CellKey:
    """The key with its names mapped by `names:` and joined by every category that matches, sorted.

    A category may match a name that another one gave, so it runs until nothing is added; each round adds a
    category or ends, so the number of categories bounds it.
    """
    names = {plan.event_names.get(name, name) for name in key.names}
    while True:
        current = key._replace(names=tuple(sorted(names)))
        added = {category.name for category in plan.categories if category.match.matches(current)} - names
        if not added:
            return current
        names |= added
