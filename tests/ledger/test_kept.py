"""Answers that are kept from tick to tick: never older than what the ledger holds."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st

from slo_otel.evaluation import Answers, Counts, Group
from slo_otel.ledger import Ledger, MemoryLedger
from slo_otel.plan import Verdict
from slo_otel.recorder import Snapshot
from slo_otel.units import DAY_NS, MINUTE_NS
from tests.evaluation.samples import STEP, T0, Writer, plan_of, ratio_slo
from tests.ledger.model import Event, Model

QUARTER_HOUR = 15 * MINUTE_NS
PLAN = plan_of(ratio_slo("99%", per=("region",)), ratio_slo("99%", name="all"))
MEASURE = PLAN.slos[0].measure
EU, US = (("region", "eu"),), (("region", "us"),)


@dataclass(frozen=True)
class Turn:
    """The clock moves on, events happen; the slow writer's snapshot arrives some turns later, or is none."""

    steps: int
    group: Group
    count: int
    slow_count: int
    delay: int


TURNS = st.lists(
    st.builds(
        Turn,
        st.sampled_from([0, 1, 1, 2, 3, 59, 60, -1, -2, -3, -70]),
        st.sampled_from([EU, US]),
        st.integers(0, 3),
        st.integers(0, 2),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=30,
)


def windows(now_ns: int) -> tuple[Counts, ...]:
    """What a tick asks of two subjects: moving windows, and those that end on the grid, now and at an edge ago."""
    edge = now_ns // QUARTER_HOUR * QUARTER_HOUR
    spans = [(now_ns - 5 * MINUTE_NS, now_ns), (now_ns - DAY_NS, now_ns)]
    spans += [(end - length, end) for end in (edge, edge - QUARTER_HOUR) for length in (QUARTER_HOUR, DAY_NS)]
    return tuple(Counts(MEASURE, dims, start, end) for dims in ((), ("region",)) for start, end in spans)


def in_parts(ledger: Ledger, queries: tuple[Counts, ...]) -> Answers:
    """The same questions in calls of three."""
    parts = [ledger.answer(queries[at : at + 3]).counts for at in range(0, len(queries), 3)]
    return Answers({query: answer for part in parts for query, answer in part.items()})


class Stage:
    """A ledger, the brute-force model, a writer in time and one whose snapshots arrive late."""

    def __init__(self) -> None:
        self.ledger, self.model = MemoryLedger(PLAN), Model(STEP)
        self.writer, self.slow = Writer(PLAN), Writer(PLAN, "slow")
        self.wall, self.mono = T0, 0
        self.held: tuple[Snapshot, int, int] | None = None

    def play(self, turn: Turn) -> None:
        """One turn: both writers count, the one in time is appended, the slow one when its delay is over."""
        self.wall += turn.steps * STEP
        self.mono += 1
        if self.held is None and turn.slow_count:
            self.slow.good(turn.slow_count, EU)
            self.held = (self.slow.snapshot(self.wall, self.mono), turn.slow_count, self.mono + turn.delay)
        self.mono += 1
        self.writer.good(turn.count, turn.group)
        self.ledger.append(self.writer.snapshot(self.wall, self.mono))
        self.model.tick(self.wall, [(Verdict.GOOD, turn.group, turn.count)])
        if self.held is not None and self.held[2] <= self.mono:
            self._deliver(self.held[0], self.held[1])
            self.held = None

    def _deliver(self, snapshot: Snapshot, count: int) -> None:
        self.ledger.append(snapshot)
        if snapshot.taken_wall_ns - self.model.newest_ns <= 2 * STEP:
            self.model.events.append(Event(snapshot.taken_wall_ns, Verdict.GOOD, EU, count))
            return
        self.model.quarantined += count


@given(TURNS, st.booleans())
@example([Turn(1, EU, 1, 1, 3), Turn(60, EU, 1, 0, 0), Turn(1, EU, 1, 0, 0), Turn(1, US, 1, 0, 0)], True)
@example([Turn(60, EU, 1, 0, 0), Turn(1, EU, 1, 0, 0), Turn(-70, EU, 1, 0, 0)], False)
@example([Turn(60, EU, 1, 0, 0), Turn(0, EU, 1, 0, 0), Turn(1, EU, 1, 0, 0)], False)
def test_what_is_asked_at_every_tick_equals_the_model(turns: list[Turn], parts: bool) -> None:
    """New groups, late rows, repeated ticks, a clock that steps back: no earlier answer survives them."""
    stage = Stage()
    for turn in turns:
        stage.play(turn)
        queries = windows(stage.model.newest_ns)
        answers = in_parts(stage.ledger, queries) if parts else stage.ledger.answer(queries)
        for query in queries:
            assert {group: one.tally for group, one in answers.counts[query].items()} == {
                group: stage.model.tally(group, query.start_ns, query.end_ns)
                for group in stage.model.groups(query.dims)
            }
    assert stage.ledger.health().quarantined == stage.model.quarantined


def test_a_window_on_the_grid_is_read_once_between_its_edges() -> None:
    """The same object answers until the next edge, also when others ask in between, and not after it."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    closed, moving = Counts(MEASURE, (), T0 - DAY_NS, T0), Counts(MEASURE, (), T0 - DAY_NS, T0 + STEP)
    found = []
    for tick in (-1, 0, 1, 2, 59, 60):
        writer.good()
        ledger.append(writer.snapshot(T0 + tick * STEP))
        found.append(ledger.answer((closed,)).counts[closed])
        ledger.answer((moving,))
    assert found[2] is found[3] is found[4]
    assert found[5] is not found[4]
    assert found[5] == found[4]


def test_what_cannot_be_asked_again_is_not_kept() -> None:
    """Windows that move with every tick, and any that nobody's grid knows, leave nothing behind."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    for tick in range(1, 30):
        writer.good()
        ledger.append(writer.snapshot(T0 + tick * STEP))
        now = T0 + tick * STEP
        ledger.answer(tuple(Counts(MEASURE, (), now - back * STEP, now - back) for back in range(9)))
    assert not ledger._kept
