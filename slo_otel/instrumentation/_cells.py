"""From an event's identity to the recorder's cell, resolved once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from slo_otel.names import attribute
from slo_otel.plan import CellKey, Plan, resolve

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from slo_otel.instrumentation._spans import Spans
    from slo_otel.recorder import Cell, Recorder

_FROM_RESOURCE = ("environment", "region", "service_version")
"""What every event has unless code says otherwise (POLICY.md 4)."""
_MOST = 20_000
"""Entries of a cache. Past it a look-up costs more; the recorder's own limit bounds the series."""


class Cells:
    """The look-up of one runtime. Bound cells stay valid for as long as their recorder lives."""

    def __init__(self, plan: Plan, recorder: Recorder, tap: Callable[[CellKey, float | None], None] | None) -> None:
        self._plan = plan
        self._recorder = recorder
        self.tap = tap
        self.spans: Spans | None = None
        resource = recorder.resource
        self._own = {name: resource[attribute(name)] for name in _FROM_RESOURCE if attribute(name) in resource}
        self._resolved: dict[CellKey, CellKey] = {}
        self._cells: dict[CellKey, Cell] = {}

    def resolve(self, key: CellKey) -> CellKey:
        """The key with every name and category that the policy gives it, and what the resource says of it."""
        found = self._resolved.get(key)
        if found is None:
            found = resolve(self._plan, key._replace(attributes=self.placed(key.attributes)))
            if len(self._resolved) < _MOST:
                self._resolved[key] = found
        return found

    def placed(self, attributes: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """The attributes with region, environment and version of the resource where code said none, sorted."""
        return tuple(sorted({**self._own, **dict(attributes)}.items())) if self._own else attributes

    def cell(self, resolved: CellKey) -> Cell:
        """The cell of a resolved key."""
        found = self._cells.get(resolved)
        if found is None:
            found = self._recorder.cell(resolved)
            if len(self._cells) < _MOST:
                self._cells[resolved] = found
        return found

    def find(self, key: CellKey) -> Cell:
        """The cell of a key as code wrote it, to be held by the caller."""
        return self.cell(self.resolve(key))

    def inline(self, cell: Cell) -> bool:
        """Whether a call site may record the plain events of a cell by itself."""
        return not cell.streamed and (self.spans is None or not self.spans.watches(cell))

    def put(
        self, cell: Cell, key: CellKey, duration: float, first_byte: float | None = None, span: Span | None = None
    ) -> None:
        """Add one timed event (seconds) of a resolved key to its cell. `span` is its request's, where known."""
        cell.record(duration, first_byte)
        if self.spans is not None:
            self.spans.closed(cell, key, duration, first_byte, span)

    def record(
        self, resolved: CellKey, duration: float, first_byte: float | None = None, span: Span | None = None
    ) -> None:
        """Add one timed event (seconds)."""
        cell = self.cell(resolved)
        cell.record(duration, first_byte)
        if self.spans is not None:
            self.spans.closed(cell, resolved, duration, first_byte, span)
        if self.tap is not None:
            self.tap(resolved, duration)

    def add(self, resolved: CellKey, n: int) -> None:
        """Add `n` events without a duration."""
        cell = self.cell(resolved)
        cell.add(n)
        if self.spans is not None and n > 0:
            self.spans.closed(cell, resolved, None, n=n)
        if self.tap is not None:
            for _ in range(n):
                self.tap(resolved, None)
