"""The ledger of one process, in memory: it starts empty and dies with the process."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from itertools import groupby
from operator import attrgetter
from typing import Final

from slo_otel.evaluation import (
    Alive,
    Answers,
    Counted,
    Counts,
    Group,
    Last,
    Named,
    Open,
    Opened,
    Query,
    Sample,
    Scope,
    Slice,
    Slices,
    StatusSet,
)
from slo_otel.ledger._gauges import Gauges
from slo_otel.ledger._horizon import horizon
from slo_otel.ledger._journal import Journal
from slo_otel.ledger._names import Watched, group_of, watched
from slo_otel.ledger._protocol import Lease, LedgerHealth
from slo_otel.ledger._series import Range, Series, number_of
from slo_otel.ledger._shelf import Shelf
from slo_otel.ledger._timeline import Place, Timeline
from slo_otel.ledger._writers import Target, Writers, target_of
from slo_otel.plan import Measure, Plan
from slo_otel.recorder import CellSnapshot, Snapshot, Tally
from slo_otel.threads import Lock
from slo_otel.units import GRID_NS

_LEASE: Final = Lease("memory", 0)
_SUBJECT: Final = attrgetter("measure", "dims", "where")
"""What a question is about, whatever its window."""


class MemoryLedger:
    """Slices of time in memory (DESIGN.md 3, ledger): exact at slice edges, bounded by the recorder's series.

    `append` and `answer` may be called from several threads, one at a time goes on. `latest` never waits. After a
    fork the child makes its own: a lock may be held, and the parent's slices are not its history.
    """

    def __init__(self, plan: Plan, *, scope: Scope = Scope.PROCESS) -> None:
        self._scope = scope
        self._step_ns = plan.step_ns
        self._horizon = horizon(plan)
        self._watched: tuple[Watched, ...] = watched(plan)
        self._lock = Lock()
        self._timeline = Timeline(plan.step_ns)
        self._measures: Shelf[Measure] = Shelf(plan.step_ns)
        self._names: Shelf[str] = Shelf(plan.step_ns)
        self._events = Series(plan.step_ns)
        self._writers = Writers(self._targets)
        self._journal = Journal()
        self._gauges = Gauges()
        self._alive = array("q")
        self._next_tended = 0
        self._late = 0
        self._quarantined = 0
        self._kept: dict[Counts, dict[Group, Counted]] = {}
        """Answers to questions whose windows ended on the grid, until the next edge of it or a late row."""
        self._latest: StatusSet | None = None

    @property
    def scope(self) -> Scope:
        """Whose events it holds."""
        return self._scope

    def append(self, snapshot: Snapshot) -> None:
        """Add what changed since the writer's previous snapshot to the slice that it belongs to."""
        with self._lock:
            before_ns = self._timeline.end_ns
            place = self._timeline.place(snapshot)
            if place.end_ns < before_ns or place.end_ns // GRID_NS > before_ns // GRID_NS:
                self._kept.clear()
            if place.reanchored:
                self._quarantine(place)
            self._late += snapshot.late
            self._add(snapshot, place)
            self._journal.read(snapshot)
            if not place.quarantined:
                self._gauges.read(snapshot, place.end_ns)
                _insert(self._alive, place.end_ns)
            self._tend()

    def _add(self, snapshot: Snapshot, place: Place) -> None:
        total = 0
        for cell, new, targets in self._writers.changed(snapshot):
            total += new
            for target in targets:
                events, times = target.gained(cell, new)
                if not place.quarantined:
                    self._add_to(target.series, place.end_ns, events, times)
        if place.quarantined:
            self._quarantined += total
        elif total:
            self._events.add(place.end_ns, Tally(total=total))

    def _add_to(self, series: Series, end_ns: int, events: Tally, times: int) -> None:
        """Kept answers know nothing of a group that is observed for the first time."""
        if series.since_ns is None:
            self._kept.clear()
        series.add(end_ns, events, times)

    def _targets(self, cell: CellSnapshot) -> tuple[Target, ...]:
        """The series that a cell adds to: each once, also where two indicators count the same thing."""
        found: dict[int, Target] = {}
        for judgement in cell.judgements:
            series = self._measures.series_of(judgement.measure, judgement.group)
            found.setdefault(id(series), target_of(series, cell, judgement.ruling))
        for name, dims in self._watched:
            if name in cell.key.names:
                series = self._names.series_of(name, group_of(cell.key, dims))
                found.setdefault(id(series), target_of(series, cell, None))
        return tuple(found.values())

    def _quarantine(self, place: Place) -> None:
        end = place.end_ns
        self._quarantined += self._events.between(end, self._alive[-1] if self._alive else end).total
        for series in self._all():
            series.drop_after(end)
        self._gauges.drop_after(end)
        del self._alive[bisect_right(self._alive, end) :]

    def _all(self) -> list[Series]:
        return [self._events, *self._measures.series, *self._names.series]

    def _tend(self) -> None:
        """Thin and prune a share of the series at each append, all of them within one step of the grid."""
        newest = self._timeline.end_ns
        fine_from = (newest - self._horizon.fine_ns) // GRID_NS * GRID_NS
        series = self._all()
        share = -(-len(series) * self._step_ns // GRID_NS)
        for at in range(self._next_tended, self._next_tended + share):
            series[at % len(series)].thin(fine_from, GRID_NS)
            series[at % len(series)].prune(newest - self._horizon.keep_ns)
        self._next_tended = (self._next_tended + share) % len(series)
        del self._alive[: bisect_left(self._alive, fine_from)]

    def answer(self, queries: tuple[Query, ...]) -> Answers:
        """Counts, Slices, Last, Named, Open and Alive from what was appended; the others with nothing."""
        counts = [query for query in queries if isinstance(query, Counts)]
        rest = [query for query in queries if not isinstance(query, Counts)] if len(counts) < len(queries) else []
        with self._lock:
            return Answers(
                counts=self._counts(counts),
                slices={query: self._slices(query) for query in rest if isinstance(query, Slices)},
                last={query: self._last(query) for query in rest if isinstance(query, Last)},
                named={query: self._named(query) for query in rest if isinstance(query, Named)},
                open={query: self._open(query) for query in rest if isinstance(query, Open)},
                alive={query: self._alive_in(query) for query in rest if isinstance(query, Alive)},
            )

    def _counts(self, queries: list[Counts]) -> dict[Counts, dict[Group, Counted]]:
        """The windows of one subject, which follow each other, in one pass over its series."""
        found: dict[Counts, dict[Group, Counted]] = {}
        newest, kept, unknown = self._timeline.end_ns, self._kept, False
        for (measure, dims, where), asked in groupby(queries, _SUBJECT):
            new = []
            for query in asked:
                if query.end_ns < newest:
                    answer = kept.get(query)
                    if answer is not None:
                        found[query] = answer
                        continue
                    unknown = True
                new.append(query)
            ranges = [self._range(query.start_ns, query.end_ns) for query in new]
            found.update(zip(new, self._measures.counts(measure, dims, where, ranges), strict=True))
        if unknown:
            self._keep(found)
        return found

    def _keep(self, found: dict[Counts, dict[Group, Counted]]) -> None:
        """A window on the grid is asked for at many ticks, and holds what it holds while nothing late is added."""
        newest = self._timeline.end_ns
        for query, answer in found.items():
            if query.end_ns < newest and not query.end_ns % GRID_NS:
                self._kept[query] = answer

    def _range(self, start_ns: int, end_ns: int) -> Range:
        return number_of(start_ns, self._step_ns), number_of(end_ns, self._step_ns)

    def _slices(self, query: Slices) -> dict[Group, tuple[Slice, ...]]:
        edges = (query.start_ns, query.end_ns, query.width_ns)
        return self._measures.slices(query.measure, query.dims, query.where, edges)

    def _last(self, query: Last) -> dict[Group, Sample]:
        return self._gauges.last(query.name, query.dims, query.where, query.at_ns, query.horizon_ns)

    def _named(self, query: Named) -> dict[Group, int]:
        ranges = [self._range(query.start_ns, query.end_ns)]
        (found,) = self._names.counts(query.name, query.dims, query.where, ranges)
        return {group: counted.tally.total for group, counted in found.items()}

    def _open(self, query: Open) -> dict[Group, Opened]:
        return self._journal.open(query.name, query.dims, query.where, query.at_ns)

    def _alive_in(self, query: Alive) -> tuple[int, ...]:
        first, stop = bisect_right(self._alive, query.start_ns), bisect_right(self._alive, query.end_ns)
        return tuple(self._alive[first:stop])

    def publish(self, statuses: StatusSet) -> None:
        """Keep the newest evaluation for everyone who reads."""
        self._latest = statuses

    def latest(self) -> StatusSet | None:
        """The newest published evaluation; one reference, read without a lock."""
        return self._latest

    def lead(self) -> Lease | None:
        """Always a lease: nobody else evaluates this process."""
        return _LEASE

    def health(self) -> LedgerHealth:
        """What a clock that jumped, late snapshots or too many open things did."""
        with self._lock:
            dropped = self._journal.dropped
            detail = f"{dropped} begun things did not fit" if dropped else ""
            return LedgerHealth(not dropped, detail, self._quarantined, self._late)

    def close(self) -> None:
        """Nothing to release. What was published can still be read."""


def _insert(ends: array[int], end_ns: int) -> None:
    at = bisect_left(ends, end_ns)
    if at == len(ends) or ends[at] != end_ns:
        ends.insert(at, end_ns)
