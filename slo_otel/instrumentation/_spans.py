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
from typing import TYPE_CHECKING, Final, cast

from slo_otel.errors import swallow
from slo_otel.instrumentation._context import SCOPE, here
from slo_otel.instrumentation._span_meaning import Meaning, Meanings, write

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from slo_otel.instrumentation._active import Active
    from slo_otel.instrumentation._http import Carrier
    from slo_otel.plan import CellKey
    from slo_otel.recorder import Cell

SPAN: Final = "slo_otel.span"
"""Where a request's carrier has the span that its server's instrumentation started."""


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


def traced(active: Active, exemplars: ExemplarFilter, attributes: SpanAttributes) -> Spans | None:
    """What a runtime does with spans; None while nobody traces, unless exemplars are wanted without traces too.

    What it has already stays; called again, it only sees to it that the tracer provider of now tells us of spans.
    """
    from opentelemetry.trace import INVALID_SPAN, get_current_span

    from slo_otel.instrumentation._span_processor import tracing

    if not tracing() and exemplars is not ExemplarFilter.ALWAYS_ON:
        return active.spans
    return active.spans or Spans(active, get_current_span, INVALID_SPAN, exemplars, attributes)


class Spans:
    """What one runtime does with spans."""

    def __init__(
        self,
        active: Active,
        current: Callable[[], Span],
        nowhere: Span,
        exemplars: ExemplarFilter,
        attributes: SpanAttributes,
    ) -> None:
        """`current` gives the span that is current where it is called, `nowhere` stands for none."""
        self.nowhere = nowhere
        from slo_otel.recorder import Exemplar  # `import slo_otel` alone must not load the recorder

        self._exemplar = Exemplar
        self._exemplars = active.recorder.exemplars
        self._wall_ns = active.wall_ns
        self._current = current
        self._keeps = exemplars is not ExemplarFilter.ALWAYS_OFF
        self._untraced = exemplars is ExemplarFilter.ALWAYS_ON
        self._writes = attributes is not SpanAttributes.NONE
        self._writes_all = attributes is SpanAttributes.ALL
        self._meanings = Meanings(active.plan)
        self._of_cell: dict[Cell, Meaning] = {}

    @property
    def announces(self) -> bool:
        """Whether somebody reads attributes, so that they must be there before the span ends."""
        return self._writes

    def watches(self, cell: Cell) -> bool:
        """Whether an event of this cell can be worth something here."""
        meaning = self._meaning(cell)
        if self._writes_all and meaning.rulings:
            return True
        return meaning.may_fail or (meaning.buckets and self._keeps)

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

        `span` is that of its request, where it was noted. Most events are good, and not the slowest ones.
        """
        meaning = self._meaning(cell)
        value = n if duration is None else duration
        bad = meaning.fails(duration, first_byte)
        keeps = self._keeps and (bad or (meaning.buckets and self._exemplars.wants(cell, value, first_byte)))
        writes = self._writes and (bad or self._writes_all)
        if keeps or writes:
            chosen = self._chosen(span)
            if keeps:
                self._keep(cell, value, first_byte, chosen, bad=bad)
            if writes:
                write(chosen, key, meaning, duration, first_byte)

    def looking(self, cell: Cell) -> Callable[[float], None]:
        """What is done with the duration of a plain answer of this cell, before it is sent."""
        meaning, wants, keep = self._meaning(cell), self._exemplars.wants, self._keep

        def look(duration: float) -> None:
            bad = meaning.fails(duration, None)
            if bad or (meaning.buckets and wants(cell, duration)):
                frame = here()
                noted = cast("Carrier", frame[SCOPE]).get(SPAN) if len(frame) > SCOPE else None
                keep(cell, duration, None, self._chosen(noted), bad=bad)

        return look

    def announce(
        self, key: CellKey, cell: Cell | None, duration: float, first_byte: float | None, span: Span | None
    ) -> None:
        """An event is about to close like this, and its span with it; `cell` where its series is known."""
        meaning = self._meanings.of(key) if cell is None else self._meaning(cell)
        if self._writes_all or meaning.fails(duration, first_byte):
            write(self._chosen(span), key, meaning, duration, first_byte)

    def _chosen(self, noted: Span | None) -> Span:
        """The noted span, unless it is over and another is current: then it was of a request within this one."""
        if noted is not None and (noted is self.nowhere or noted.is_recording()):
            return noted
        current = self._current()
        return current if noted is None or current.get_span_context().is_valid else noted

    def _keep(self, cell: Cell, value: float, first_byte: float | None, span: Span, *, bad: bool) -> None:
        context = span.get_span_context()
        if context.is_valid and (context.trace_flags.sampled or self._untraced):
            exemplar = self._exemplar(value, self._wall_ns(), first_byte, context.trace_id, context.span_id)
        elif self._untraced:
            exemplar = self._exemplar(value, self._wall_ns(), first_byte)
        else:
            return
        self._exemplars.keep(cell, exemplar, bad=bad)

    def _meaning(self, cell: Cell) -> Meaning:
        found = self._of_cell.get(cell)
        if found is None:
            found = self._of_cell[cell] = self._meanings.read(cell.key, cell.judgements)
        return found


class Looking:
    """Stands for a cell where plain answers are recorded at once: what is recorded is looked at as well."""

    __slots__ = ("_cell", "append", "drain", "pending")

    def __init__(self, cell: Cell, spans: Spans) -> None:
        record, look = cell.append, spans.looking(cell)

        def append(duration: float) -> None:
            record(duration)
            try:
                look(duration)
            except Exception as fault:  # noqa: BLE001 - our fault must not become the application's
                swallow(fault, "the trace of a request")

        self._cell = cell
        self.append = append
        self.drain = cell.drain
        self.pending = cell.pending

    @property
    def limit(self) -> int:
        """The cell's, which changes."""
        return self._cell.limit
