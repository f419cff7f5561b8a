"""Events and the spans they happen in: exemplars for metrics, and attributes on spans.

While nobody traces there is no object of this module, and nothing of it on any path. While somebody does, a series
of which an event can be worth an exemplar or an attribute is not recorded by the fast paths, but by `Cells.put`,
which tells `Spans.closed` of it.

Which span an event belongs to: the one that is current where the event closes. A middleware of ours may be around
the one that makes the request's span, which is over then, or not current; so the span that a server's
instrumentation starts while a request of ours is open is kept with the request (`_span_processor`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from slo_otel.names import SLO_NAME, SLO_VERDICT, attribute
from slo_otel.plan import CellKey, Fixed, Form, Judgement, Ruling, Verdict, judge, ruled
from slo_otel.recorder import Cell, Exemplar

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from slo_otel.instrumentation._active import Active

SPAN: Final = "slo_otel.span"
"""Where a request's carrier has the span that its server's instrumentation started."""
_MOST: Final = 20_000
"""Meanings that are remembered."""
_CATEGORY: Final = attribute("category")
_OUTCOME: Final = attribute("outcome")
_REASON: Final = attribute("reason")


class ExemplarFilter(StrEnum):
    """Which events may become exemplars (specification, metrics/sdk: ExemplarFilter)."""

    TRACE_BASED = "trace_based"
    """Those within a sampled span."""
    ALWAYS_ON = "always_on"
    ALWAYS_OFF = "always_off"


class SpanAttributes(StrEnum):
    """Which events are written to their span."""

    NONE = "none"
    BAD = "bad"
    ALL = "all"


class Meaning(NamedTuple):
    """What an event of one series means, as far as its duration does not decide."""

    category: str
    """The declared categories, as `slo.category` has them; empty without one."""
    rulings: tuple[tuple[str, Ruling], ...]
    """The service levels that count it."""
    buckets: bool
    """Whether it is in a histogram that is sent."""

    @property
    def may_fail(self) -> bool:
        """Whether some event of it is bad."""
        return any(Verdict.BAD in _verdicts(ruling) for _, ruling in self.rulings)

    def verdict(self, duration: float | None, first_byte: float | None) -> tuple[Verdict | None, tuple[str, ...]]:
        """The worst verdict on an event (bad, good, excluded), and the service levels that say so."""
        found: dict[Verdict | None, list[str]] = {}
        for name, ruling in self.rulings:
            found.setdefault(ruled(ruling, duration, first_byte), []).append(name)
        worst = next((each for each in _WORST if each in found), None)
        return worst, tuple(found.get(worst, ()))


_WORST: Final = (Verdict.BAD, Verdict.GOOD, Verdict.EXCLUDED)


def _verdicts(ruling: Ruling) -> tuple[Verdict | None, ...]:
    return (ruling.verdict,) if isinstance(ruling, Fixed) else (ruling.below, ruling.above)


def traced(active: Active, exemplars: ExemplarFilter, attributes: SpanAttributes) -> Spans | None:
    """What a runtime does with spans; None while nobody traces, unless exemplars are wanted without traces too."""
    from opentelemetry.trace import get_current_span

    from slo_otel.instrumentation._span_processor import tracing

    if not tracing() and exemplars is not ExemplarFilter.ALWAYS_ON:
        return None
    return Spans(active, get_current_span, exemplars, attributes)


class Spans:
    """What one runtime does with spans."""

    def __init__(
        self,
        active: Active,
        current: Callable[[], Span],
        exemplars: ExemplarFilter,
        attributes: SpanAttributes,
    ) -> None:
        """`current` gives the span that is current where it is called."""
        self._plan = plan = active.plan
        self._keep = active.recorder.exemplars.keep
        self._wall_ns = active.wall_ns
        self._exemplars = exemplars
        self._attributes = attributes
        self._current = current
        self._categories = frozenset(category.name for category in plan.categories)
        self._readers: dict[object, list[str]] = {}
        for slo in plan.slos:
            self._readers.setdefault((slo.indicator.name, slo.measure), []).append(slo.name)
        self._latency = frozenset(each.name for each in plan.indicators if each.form is Form.LATENCY)
        self._known: dict[CellKey, Meaning] = {}

    @property
    def announces(self) -> bool:
        """Whether somebody reads attributes, so that they must be there before the span ends."""
        return self._attributes is not SpanAttributes.NONE

    def watches(self, cell: Cell) -> bool:
        """Whether an event of this cell can be worth something here."""
        meaning = self._meaning(cell.key, cell.judgements)
        if self._attributes is SpanAttributes.ALL and meaning.rulings:
            return True
        return meaning.may_fail or (meaning.buckets and self._exemplars is not ExemplarFilter.ALWAYS_OFF)

    def closed(
        self,
        cell: Cell,
        key: CellKey,
        duration: float | None,
        first_byte: float | None = None,
        span: Span | None = None,
        n: int = 1,
    ) -> None:
        """An event of `key` was recorded in `cell`: a timed one (seconds), or `n` counted ones.

        `span` is that of its request, where it was noted.
        """
        meaning = self._meaning(key, cell.judgements)
        verdict, slos = meaning.verdict(duration, first_byte)
        bad = verdict is Verdict.BAD
        chosen = self._chosen(span)
        if (bad or meaning.buckets) and self._exemplars is not ExemplarFilter.ALWAYS_OFF:
            self._exemplify(cell, n if duration is None else duration, first_byte, chosen, bad=bad)
        if verdict is not None and self._writes(bad=bad):
            _write(chosen, key, meaning.category, verdict, slos)

    def announce(self, key: CellKey, duration: float, first_byte: float | None, span: Span | None) -> None:
        """An event is about to close like this, and its span too."""
        meaning = self._meaning(key, None)
        verdict, slos = meaning.verdict(duration, first_byte)
        if verdict is not None and self._writes(bad=verdict is Verdict.BAD):
            _write(self._chosen(span), key, meaning.category, verdict, slos)

    def _writes(self, *, bad: bool) -> bool:
        return self._attributes is SpanAttributes.ALL or (bad and self._attributes is SpanAttributes.BAD)

    def _chosen(self, noted: Span | None) -> Span:
        """The noted span, unless it is over while another one is current: that was of a request within this one."""
        current = self._current()
        if noted is None or (current.is_recording() and not noted.is_recording()):
            return current
        return noted

    def _exemplify(self, cell: Cell, value: float, first_byte: float | None, span: Span, *, bad: bool) -> None:
        context = span.get_span_context()
        sampled = context.is_valid and context.trace_flags.sampled
        if not sampled and self._exemplars is ExemplarFilter.TRACE_BASED:
            return
        trace_id, span_id = (context.trace_id, context.span_id) if context.is_valid else (None, None)
        self._keep(cell, Exemplar(value, self._wall_ns(), first_byte, trace_id, span_id), bad=bad)

    def _meaning(self, key: CellKey, judgements: tuple[Judgement, ...] | None) -> Meaning:
        found = self._known.get(key)
        if found is None:
            found = self._read(key, judge(self._plan, key) if judgements is None else judgements)
            if len(self._known) < _MOST:
                self._known[key] = found
        return found

    def _read(self, key: CellKey, judgements: tuple[Judgement, ...]) -> Meaning:
        rulings = tuple(
            (name, each.ruling)
            for each in judgements
            for name in self._readers.get((each.indicator, each.measure), ())
        )
        category = "|".join(name for name in key.names if name in self._categories)
        return Meaning(category, rulings, any(each.indicator in self._latency for each in judgements))


def _write(span: Span, key: CellKey, category: str, verdict: Verdict, slos: tuple[str, ...]) -> None:
    """Say it on a span that is not over. Of several events of one span the worse verdict stands, with its names."""
    if not span.is_recording():
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
    if category:
        told[_CATEGORY] = category
    if key.reason is not None:
        told[_REASON] = key.reason
    span.set_attributes(told)
