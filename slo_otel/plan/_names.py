"""From what code calls an event to every name the policy knows it by."""

from __future__ import annotations

from slo_otel.plan._events import CellKey
from slo_otel.plan._slo import Plan


def resolve(plan: Plan, key: CellKey) -> CellKey:
    """The key with its names mapped by `names:` and joined by every category that matches, sorted.

    Categories stand in the plan after those they name, so that `except: [health]` sees whether the event is one of
    `health`. It runs until nothing is added, since names only grow; the number of categories bounds it.
    """
    names = {plan.event_names.get(name, name) for name in key.names}
    while True:
        before = len(names)
        for category in plan.categories:
            if category.match.matches(key._replace(names=tuple(names))):
                names.add(category.name)
        if len(names) == before:
            return key._replace(names=tuple(sorted(names)))
