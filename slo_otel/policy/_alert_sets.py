"""The default burn-rate alerts: data files in `_alerts/` that cite their source, one for a range of windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Final, Literal, TypeAlias

from slo_otel.plan import Burn
from slo_otel.policy._fit import length_of
from slo_otel.policy._grammar import parse_condition
from slo_otel.units import Window, parse_duration

Rank: TypeAlias = Literal["page", "ticket"]
_RANKS: Final[tuple[Rank, ...]] = ("page", "ticket")


@dataclass(frozen=True, slots=True)
class Leg:
    """One burn-rate alert of a default set."""

    rank: Rank
    condition: Burn
    text: str

    def can_fire(self, target: Fraction) -> bool:
        """Whether a burn rate can exceed its factor: the highest one is `1 / e` (slo-math 1.4)."""
        return self.condition.factor * (1 - target) < 1


@dataclass(frozen=True, slots=True)
class AlertSet:
    """The legs for compliance windows of `[from_ns, below_ns)`; None: without an upper end."""

    from_ns: int
    below_ns: int | None
    legs: tuple[Leg, ...]


def default_legs(window: Window) -> tuple[Leg, ...]:
    """The default set of a compliance window; none for windows below a day."""
    length = length_of(window)
    for one in alert_sets():
        if one.from_ns <= length and (one.below_ns is None or length < one.below_ns):
            return one.legs
    return ()


@cache
def alert_sets() -> tuple[AlertSet, ...]:
    """Every set, by length of window."""
    from ruamel.yaml import YAML

    folder = files("slo_otel.policy").joinpath("_alerts")
    reader = YAML(typ="safe", pure=True)
    found = [_set(reader.load(file.read_text("utf-8"))) for file in folder.iterdir() if file.name.endswith(".yaml")]
    return tuple(sorted(found, key=lambda one: one.from_ns))


def _set(data: Mapping[str, object]) -> AlertSet:
    below = data.get("below")
    return AlertSet(
        parse_duration(str(data["from"])),
        None if below is None else parse_duration(str(below)),
        tuple(leg for rank in _RANKS for leg in _legs(rank, data[rank])),
    )


def _legs(rank: Rank, texts: object) -> Iterator[Leg]:
    for text in texts if isinstance(texts, list) else ():
        condition = parse_condition(text)
        if isinstance(condition, Burn):
            yield Leg(rank, condition, text)
