"""The memory ledger: edges, repeats, late rows, the clock, names, gauges, open things, and what it may weigh."""

from __future__ import annotations

import threading
from dataclasses import replace

from slo_otel.evaluation import (
    Alive,
    Answers,
    Counted,
    Counts,
    Hourly,
    Polls,
    Scope,
    StatusSet,
    Users,
)
from slo_otel.ledger import Lease, Ledger, MemoryLedger
from slo_otel.plan import CellKey, Verdict
from slo_otel.recorder import Snapshot, Tally
from slo_otel.units import DAY_NS
from tests.evaluation.samples import STEP, T0, Writer, key_of, plan_of, ratio_slo

PLAN = plan_of(ratio_slo("99%", per=("region",)), ratio_slo("99%", name="all"))
BY_REGION, ALL = (slo.measure for slo in PLAN.slos)
EU = (("region", "eu"),)


def good(ledger: Ledger, start_ns: int, end_ns: int) -> int:
    """Good events of `all` in a window."""
    query = Counts(ALL, (), start_ns, end_ns)
    return sum(found.tally.good for found in ledger.answer((query,)).counts[query].values())


def test_a_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    """The slice that ends at the window's start is outside, the one that ends at its end is inside."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    for tick, count in ((1, 1), (2, 10), (3, 100)):
        writer.good(count)
        ledger.append(writer.snapshot(T0 + tick * STEP))
    assert good(ledger, T0 + STEP, T0 + 2 * STEP) == 10
    assert good(ledger, T0 + STEP - 1, T0 + 2 * STEP) == 11
    assert good(ledger, T0 + STEP, T0 + 3 * STEP - 1) == 10
    assert good(ledger, T0, T0 + 3 * STEP) == 111
    assert good(ledger, T0 + 3 * STEP, T0 + 9 * STEP) == 0


def test_the_same_snapshot_twice_adds_nothing() -> None:
    """A repeat, and an older snapshot after a newer one, change no count."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.good(3)
    first = writer.snapshot(T0 + STEP)
    writer.good(4)
    second = writer.snapshot(T0 + 2 * STEP)
    for snapshot in (first, second, second, first, first):
        ledger.append(snapshot)
    assert good(ledger, T0, T0 + STEP) == 3
    assert good(ledger, T0, T0 + 3 * STEP) == 7


def test_an_older_snapshot_of_the_same_moment_adds_nothing() -> None:
    """A clock that stands still (in users' tests) does not make totals go down and up again."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.good(3)
    first = writer.snapshot(T0 + STEP)
    writer.good(4)
    second = writer.snapshot(T0 + STEP)
    found = []
    for snapshot in (first, second, first, second):
        ledger.append(snapshot)
        found.append(good(ledger, T0, T0 + STEP))
    assert found == [3, 7, 7, 7]


def test_an_older_snapshot_does_not_bring_back_a_cell_that_started_again() -> None:
    """What a writer said before counts nothing, also where it speaks of another start."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.good(5)
    before = writer.snapshot(T0 + STEP)
    (cell,) = before.cells
    after = replace(moved(before, T0 + 2 * STEP), cells=(cell._replace(start_ns=cell.start_ns + 1, count=2),))
    for snapshot in (before, after, before, after):
        ledger.append(snapshot)
    assert good(ledger, T0, T0 + 2 * STEP) == 7


def test_every_writer_starts_at_zero() -> None:
    """A restarted process and a sibling add their own totals; none is subtracted from the other."""
    ledger = MemoryLedger(PLAN)
    for tick, name in enumerate(("old", "new", "sibling"), start=1):
        writer = Writer(PLAN, name)
        writer.good(5)
        ledger.append(writer.snapshot(T0 + tick * STEP))
    assert good(ledger, T0, T0 + 3 * STEP) == 15


def test_a_cell_that_starts_again_starts_at_zero() -> None:
    """A cell of another start time is a new one: its whole total is new."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.good(5)
    before = writer.snapshot(T0 + STEP)
    (cell,) = before.cells
    after = replace(before, taken_wall_ns=T0 + 2 * STEP, taken_mono_ns=T0 + 2 * STEP)
    ledger.append(before)
    ledger.append(replace(after, cells=(cell._replace(start_ns=cell.start_ns + 1, count=2),)))
    assert good(ledger, T0, T0 + 2 * STEP) == 7


def test_a_cell_is_found_again_when_its_place_changes() -> None:
    """Cells are known by key; the order of a snapshot does not matter."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.good(5, EU)
    writer.good(7)
    ledger.append(writer.snapshot(T0 + STEP))
    snapshot = writer.snapshot(T0 + 2 * STEP)
    ledger.append(replace(snapshot, cells=snapshot.cells[::-1]))
    assert good(ledger, T0, T0 + 2 * STEP) == 12


def test_two_indicators_of_one_fingerprint_count_each_event_once() -> None:
    """The same SLI with and without groups shares its measure; neither sees an event twice."""
    grouped, single = PLAN.slos
    shared = replace(single, indicator=replace(single.indicator, fingerprint=grouped.indicator.fingerprint))
    plan = plan_of(grouped, shared)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good(3, EU)
    writer.good(4)
    ledger.append(writer.snapshot(T0 + STEP))
    total, regions = (Counts(BY_REGION, dims, T0, T0 + STEP) for dims in ((), ("region",)))
    found = ledger.answer((total, regions)).counts
    assert found[total] == {(): Counted(Tally(good=7), T0, T0 + STEP)}
    assert {group[0][1]: one.tally.good for group, one in found[regions].items()} == {"eu": 3, "unset": 4}


def test_two_entries_of_one_sli_share_one_history() -> None:
    """Two SLO entries of the same SLI and groups add to one series, each event once."""
    _, single = PLAN.slos
    other = replace(single, name="again", indicator=replace(single.indicator, name="again"))
    plan = plan_of(single, other)
    ledger, writer = MemoryLedger(plan), Writer(plan)
    writer.good(3)
    ledger.append(writer.snapshot(T0 + STEP))
    assert good(ledger, T0, T0 + STEP) == 3


def test_a_question_about_an_unknown_attribute_has_no_groups() -> None:
    """What no series carries cannot be summed by: nothing is answered, and nothing raises."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.good()
    ledger.append(writer.snapshot(T0 + STEP))
    query = Counts(ALL, ("color",), T0, T0 + STEP)
    assert ledger.answer((query,)).counts[query] == {}


def test_the_last_event_is_told_from_the_first() -> None:
    """`last_ns` ends the last slice with an event up to the window's end."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    for tick in (1, 5, 9):
        writer.good()
        ledger.append(writer.snapshot(T0 + tick * STEP))
    query = Counts(ALL, (), T0, T0 + 7 * STEP)
    assert ledger.answer((query,)).counts[query][()] == Counted(Tally(good=2), T0, T0 + 5 * STEP)


def test_questions_it_cannot_answer_are_answered_with_nothing() -> None:
    """Polls, histograms by the hour and users are for later ledgers."""
    ledger = MemoryLedger(PLAN)
    questions = (
        Polls("site", (), T0, T0 + STEP),
        Hourly(ALL, (), T0, T0 + STEP),
        Users(ALL, (), T0, T0 + STEP),
    )
    assert ledger.answer(questions) == Answers()


def test_slices_are_alive_without_events() -> None:
    """An idle service has alive slices; one that did not run has none; the edges are half-open."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    for tick in (1, 2, 5):
        ledger.append(writer.snapshot(T0 + tick * STEP))
    query = Alive(T0 + STEP, T0 + 5 * STEP)
    assert ledger.answer((query,)).alive[query] == (T0 + 2 * STEP, T0 + 5 * STEP)


def test_what_is_published_is_read_and_the_lease_is_always_held() -> None:
    """Memory has one owner: it leads, and everyone reads the newest evaluation, also after close."""
    ledger: Ledger = MemoryLedger(PLAN, scope=Scope.HOST)
    assert ledger.latest() is None
    statuses = StatusSet(T0, Scope.HOST, "shop", ())
    ledger.publish(statuses)
    ledger.close()
    ledger.close()
    assert ledger.latest() is statuses
    assert isinstance(ledger.lead(), Lease)
    assert ledger.scope is Scope.HOST


def test_answers_hold_while_another_thread_appends() -> None:
    """Two windows asked together are of one moment: a reader never sees half an append."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    whole = Counts(BY_REGION, (), T0, T0 + DAY_NS)
    other = Counts(ALL, (), T0, T0 + DAY_NS)
    seen: list[tuple[int, int]] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            counts = ledger.answer((whole, other)).counts
            sums = [sum(found.tally.good for found in counts[query].values()) for query in (whole, other)]
            seen.append((sums[0], sums[1]))

    reader = threading.Thread(target=read)
    reader.start()
    for tick in range(1, 400):
        writer.good(1)
        writer.good(1, EU)
        ledger.append(writer.snapshot(T0 + tick * STEP))
    stop.set()
    reader.join()
    assert seen
    assert {one - two for one, two in seen} == {0}
    assert [one for one, _ in seen] == sorted(one for one, _ in seen)


class Noted(CellKey):
    """A key that counts how often it is looked up."""

    looked_up = 0

    def __hash__(self) -> int:
        Noted.looked_up += 1
        return super().__hash__()


def test_an_unchanged_snapshot_reads_no_cell() -> None:
    """The same cell object means unchanged: it is not even looked up."""
    ledger, writer = MemoryLedger(PLAN), Writer(PLAN)
    writer.add(Noted(*key_of(Verdict.GOOD)), 2)
    first = writer.snapshot(T0 + STEP)
    ledger.append(first)
    before = Noted.looked_up
    ledger.append(moved(first, T0 + 2 * STEP))
    assert Noted.looked_up == before > 0
    assert good(ledger, T0, T0 + 2 * STEP) == 2


def moved(snapshot: Snapshot, at_ns: int) -> Snapshot:
    """The same cells at another tick."""
    return replace(snapshot, taken_wall_ns=at_ns, taken_mono_ns=at_ns)


def test_an_answer_that_is_kept_follows_what_is_added() -> None:
    """The window of a day is asked at every step: a new group and a late row appear in it at once."""
    ledger, writer, slow = MemoryLedger(PLAN), Writer(PLAN), Writer(PLAN, "slow")
    query = Counts(BY_REGION, ("region",), T0 - DAY_NS, T0)
    slow.good(10)
    late = slow.snapshot(T0 - STEP)
    writer.good()
    ledger.append(writer.snapshot(T0))
    ledger.append(writer.snapshot(T0 + STEP))
    unset = (("region", "unset"),)
    for _ in range(2):
        assert ledger.answer((query,)).counts[query][unset].tally.good == 1
    writer.good(1, EU)
    ledger.append(writer.snapshot(T0 + 2 * STEP))
    found = ledger.answer((query,)).counts[query]
    assert found[EU] == Counted(Tally(), T0 + STEP, T0 + STEP)
    ledger.append(late)
    assert ledger.answer((query,)).counts[query][unset].tally.good == 11
