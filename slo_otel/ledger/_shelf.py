"""Series by what they count and by group, and the sums that queries ask for.

Two indicators may count the same thing (one fingerprint) along different dimensions. Each set of dimensions is a
layout that holds all events by itself, so a query reads one layout and nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

from slo_otel.evaluation import Counted, Filter, Group, Slice
from slo_otel.ledger._series import Range, Series
from slo_otel.recorder import Tally

What = TypeVar("What", bound=Hashable)
Layout: TypeAlias = tuple[str, ...]
_ZERO = Tally()


class Shelf(Generic[What]):
    """The series of every thing that is counted. Not thread-safe: the ledger locks."""

    def __init__(self, step_ns: int) -> None:
        self._step_ns = step_ns
        self._layouts: dict[What, dict[Layout, dict[Group, Series]]] = {}
        self.series: list[Series] = []
        """All of them, in the order of their first event."""

    def series_of(self, what: What, group: Group) -> Series:
        """The series of one group, made when it is new."""
        layout = tuple(name for name, _ in group)
        groups = self._layouts.setdefault(what, {}).setdefault(layout, {})
        found = groups.get(group)
        if found is None:
            found = groups[group] = Series(self._step_ns)
            self.series.append(found)
        return found

    def counts(
        self, what: What, dims: tuple[str, ...], where: Filter, ranges: Sequence[Range]
    ) -> list[dict[Group, Counted]]:
        """For each range every group that was ever observed, with its events in it."""
        answers: list[dict[Group, Counted]] = [{} for _ in ranges]
        for group, series in self._selected(what, dims, where):
            if series.since_ns is not None:
                for answer, found in zip(answers, series.read(ranges), strict=True):
                    answer[group] = _joined(answer[group], found) if group in answer else found
        return answers

    def slices(
        self, what: What, dims: tuple[str, ...], where: Filter, edges: tuple[int, int, int]
    ) -> dict[Group, tuple[Slice, ...]]:
        """The events per slice; `edges` are start, end and width, and slices start at `start`."""
        start, end, width = edges
        found: dict[Group, dict[int, Tally]] = {}
        for group, series in self._selected(what, dims, where):
            for at, events in series.slices(start, end):
                close = min(end, start - (start - at) // width * width)
                sums = found.setdefault(group, {})
                sums[close] = sums.get(close, _ZERO) + events
        return {group: tuple(Slice(at, sums[at]) for at in sorted(sums)) for group, sums in found.items()}

    def _selected(self, what: What, dims: tuple[str, ...], where: Filter) -> Iterable[tuple[Group, Series]]:
        layouts = self._layouts.get(what, {})
        if not where and dims in layouts:
            return layouts[dims].items()
        return _folded(layouts, dims, where)


def _folded(
    layouts: Mapping[Layout, dict[Group, Series]], dims: tuple[str, ...], where: Filter
) -> Iterator[tuple[Group, Series]]:
    for group, series in _layout(layouts, {*dims, *(name for name, _ in where)}).items():
        values = dict(group)
        if all(values[name] == value for name, value in where):
            yield tuple((name, values[name]) for name in dims), series


def _layout(layouts: Mapping[Layout, dict[Group, Series]], wanted: set[str]) -> dict[Group, Series]:
    """The first layout that knows every attribute the query names; none answers with nothing."""
    return next((groups for layout, groups in layouts.items() if wanted <= set(layout)), {})


def _joined(one: Counted, other: Counted) -> Counted:
    return Counted(one.tally + other.tally, min(one.since_ns, other.since_ns), max(one.last_ns, other.last_ns))
