"""The brute-force ledger: a list of events, each with the slice it was assigned to, and sums over all of them.

Written from DESIGN.md 3 without a look at the code: it keeps every event, subtracts nothing and knows no grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from slo_otel.evaluation import Group
from slo_otel.plan import Verdict
from slo_otel.recorder import Tally


@dataclass(frozen=True)
class Event:
    """`count` events of one verdict and group, in the slice that ends at `end_ns`."""

    end_ns: int
    verdict: Verdict
    group: Group
    count: int


@dataclass
class Model:
    """Events by ticks, and the clock rules in their shortest form."""

    step_ns: int
    events: list[Event] = field(default_factory=list)
    quarantined: int = 0
    tick_ns: int | None = None
    newest_ns: int = 0

    def tick(self, wall_ns: int, found: Iterable[tuple[Verdict, Group, int]]) -> None:
        """A snapshot at `wall_ns` found these new events; snapshots come in the order they were taken."""
        tick = wall_ns - wall_ns % self.step_ns
        end = tick if tick == wall_ns else tick + self.step_ns
        if self.tick_ns is not None and self.tick_ns - tick > 2 * self.step_ns:
            self.quarantined += sum(event.count for event in self.events if event.end_ns > end)
            self.events = [event for event in self.events if event.end_ns <= end]
            self.tick_ns, self.newest_ns = tick, end
        self.tick_ns = max(self.tick_ns or 0, tick)
        self.newest_ns = max(self.newest_ns, end)
        self.events += [Event(self.newest_ns, verdict, group, count) for verdict, group, count in found if count]

    def tally(self, group: Group, start_ns: int, end_ns: int) -> Tally:
        """The events of a group in `(start, end]`; the group may name fewer attributes than the events have."""
        sums = dict.fromkeys(Verdict, 0)
        for event in self.events:
            if start_ns < event.end_ns <= end_ns and set(group) <= set(event.group):
                sums[event.verdict] += event.count
        return Tally(sums[Verdict.GOOD], sums[Verdict.BAD], sums[Verdict.EXCLUDED])

    def since_ns(self, group: Group) -> int | None:
        """The start of the first slice with an event of the group."""
        ends = [event.end_ns for event in self.events if set(group) <= set(event.group)]
        return min(ends) - self.step_ns if ends else None

    def groups(self, dims: tuple[str, ...]) -> set[Group]:
        """Every group that has an event."""
        return {tuple((dim, dict(event.group)[dim]) for dim in dims) for event in self.events}

    def consumed(self, group: Group, start_ns: int, end_ns: int, target: Fraction) -> Fraction | None:
        """The consumed share of the budget of a rolling window, in exact arithmetic; None while unknown."""
        counted, since = self.tally(group, start_ns, end_ns), self.since_ns(group)
        valid = counted.good + counted.bad
        if since is None or not valid:
            return None
        coverage = min(Fraction(1), Fraction(end_ns - since, end_ns - start_ns))
        return Fraction(counted.bad, valid) / (1 - target) * coverage if coverage > 0 else None
