"""What an event means to the service levels that count it, in the words of a span."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from slo_otel.names import SLO_NAME, SLO_VERDICT, attribute
from slo_otel.plan import CellKey, Fixed, Form, Judgement, Plan, Ruling, Verdict, judge, ruled
from slo_otel.units import seconds

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

_MOST: Final = 20_000
"""Meanings that are remembered."""
_WORST: Final = (Verdict.BAD, Verdict.GOOD, Verdict.EXCLUDED)
_CATEGORY: Final = attribute("category")
_OUTCOME: Final = attribute("outcome")
_REASON: Final = attribute("reason")


class Meaning:
    """What an event of one series means, as far as its duration does not decide."""

    __slots__ = ("_fine_until", "buckets", "category", "rulings")

    def __init__(self, category: str, rulings: tuple[tuple[str, Ruling], ...], *, buckets: bool) -> None:
        self.category = category
        """The declared categories, as `slo.category` has them; empty without one."""
        self.rulings = rulings
        """The service levels that count it."""
        self.buckets = buckets
        """Whether it is in a histogram that is sent."""
        self._fine_until = min((_fine_until(ruling) for _, ruling in rulings), default=math.inf)

    @property
    def may_fail(self) -> bool:
        """Whether some event of it is bad."""
        return self._fine_until < math.inf

    def fails(self, duration: float | None, first_byte: float | None) -> bool:
        """Whether an event is bad for some service level. Times are in seconds; counted ones have none."""
        if duration is not None and duration <= self._fine_until:
            return False
        return self.may_fail and self.verdict(duration, first_byte)[0] is Verdict.BAD

    def verdict(self, duration: float | None, first_byte: float | None) -> tuple[Verdict | None, tuple[str, ...]]:
        """The worst verdict on an event (bad, good, excluded), and the service levels that say so."""
        found: dict[Verdict | None, list[str]] = {}
        for name, ruling in self.rulings:
            found.setdefault(ruled(ruling, duration, first_byte), []).append(name)
        worst = next((each for each in _WORST if each in found), None)
        return worst, tuple(found.get(worst, ()))


def _fine_until(ruling: Ruling) -> float:
    """Seconds up to which no event is bad, whatever else is known of it."""
    if isinstance(ruling, Fixed):
        return -math.inf if ruling.verdict is Verdict.BAD else math.inf
    if Verdict.BAD not in (ruling.below, ruling.above):
        return math.inf
    return -math.inf if ruling.first_byte or ruling.below is Verdict.BAD else seconds(ruling.at_ns)


class Meanings:
    """The meanings of one plan's series."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._categories = frozenset(category.name for category in plan.categories)
        self._latency = frozenset(each.name for each in plan.indicators if each.form is Form.LATENCY)
        self._readers: dict[object, list[str]] = {}
        for slo in plan.slos:
            self._readers.setdefault((slo.indicator.name, slo.measure), []).append(slo.name)
        self._known: dict[CellKey, Meaning] = {}

    def of(self, key: CellKey) -> Meaning:
        """The meaning of a series that may have no cell yet."""
        found = self._known.get(key)
        if found is None:
            found = self.read(key, judge(self._plan, key))
            if len(self._known) < _MOST:
                self._known[key] = found
        return found

    def read(self, key: CellKey, judgements: tuple[Judgement, ...]) -> Meaning:
        """The meaning of a series that was judged like this."""
        rulings = tuple(
            (name, each.ruling)
            for each in judgements
            for name in self._readers.get((each.indicator, each.measure), ())
        )
        category = "|".join(name for name in key.names if name in self._categories)
        return Meaning(category, rulings, buckets=any(each.indicator in self._latency for each in judgements))


def write(span: Span, key: CellKey, meaning: Meaning, duration: float | None, first_byte: float | None) -> None:
    """Say it on a span that is not over. Of several events of one span the worse verdict stands, with its names."""
    verdict, slos = meaning.verdict(duration, first_byte)
    if verdict is None or not span.is_recording():
        return
    said = getattr(span, "attributes", None) or {}
    before = said.get(SLO_VERDICT)
    if before == Verdict.BAD and verdict is not Verdict.BAD:
        return
    names = (*said.get(SLO_NAME, ()), *slos) if before == verdict else slos
    told: dict[str, AttributeValue] = {
        SLO_NAME: tuple(dict.fromkeys(names)),
        SLO_VERDICT: verdict.value,
        _OUTCOME: key.outcome.value,
    }
    if meaning.category:
        told[_CATEGORY] = meaning.category
    if key.reason is not None:
        told[_REASON] = key.reason
    span.set_attributes(told)
