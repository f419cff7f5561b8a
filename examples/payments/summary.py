"""The end of the demo: what the client saw, the process counted and the receiver got, side by side."""

from __future__ import annotations

from collections import Counter

from display import show
from rich.console import Console
from statuses import COUNTED, Events, Statuses, as_text, promises, requests_of, seen
from traffic import Seen

from slo_otel import names
from slo_otel.receive import Receiver

_ATTRIBUTES = {name: names.attribute(name) for name in ("method", "route", "status", "outcome")}


def received_requests(receiver: Receiver) -> Counter[Seen]:
    """Every request that the receiver holds, as the client would name it."""
    counted: Counter[Seen] = Counter()
    for point in receiver.find(names.EVENTS, slo_name=COUNTED):
        group = {ours: point.attribute(theirs) or "" for ours, theirs in _ATTRIBUTES.items()}
        counted[seen(group)] += int(point.value)
    return +counted


def received_events(receiver: Receiver, slo: str) -> Events:
    """Good, bad and excluded events of one SLO, as the receiver holds them."""
    good, bad, excluded = (
        receiver.counter(names.EVENTS, slo_name=slo, slo_verdict=verdict) for verdict in ("good", "bad", "excluded")
    )
    return Events(good=good, bad=bad, excluded=excluded)


def print_summary(console: Console, client: Counter[Seen], answer: Statuses, receiver: Receiver | None) -> bool:
    """Print both tables; True when every number is the same everywhere it was looked for."""
    sides = [client, requests_of(answer)] + ([received_requests(receiver)] if receiver else [])
    equal = _print_routes(console, sides)
    return _print_slos(console, promises(answer), receiver) and equal


def _print_routes(console: Console, sides: list[Counter[Seen]]) -> bool:
    routes = sorted({(kind.method, kind.route) for side in sides for kind in side})
    rows = []
    for route in routes:
        cells = [
            as_text((kind, n) for kind, n in side.items() if (kind.method, kind.route) == route) for side in sides
        ]
        rows.append((" ".join(route), *cells, _verdict(cells)))
    columns = ("route", "the client saw", "the process counted", "the receiver got")
    show(console, "Requests by status", (*columns[: len(sides) + 1], ""), rows)
    return all(side == sides[0] for side in sides)


def _print_slos(console: Console, counted: dict[str, Events], receiver: Receiver | None) -> bool:
    rows, equal = [], True
    for slo, events in counted.items():
        cells = [_tally(events)] + ([_tally(received_events(receiver, slo))] if receiver else [])
        rows.append((slo, *cells, _verdict(cells)))
        equal = equal and len(set(cells)) == 1
    columns = ("SLO", "the process counted", "the receiver got")[: 3 if receiver else 2]
    show(console, "Events by verdict", (*columns, ""), rows)
    return equal


def _tally(events: Events) -> str:
    return f"{events.good} good, {events.bad} bad, {events.excluded} excluded"


def _verdict(cells: list[str]) -> str:
    if len(cells) == 1:
        return "not checked"
    return "equal" if len(set(cells)) == 1 else "DIFFERENT"
