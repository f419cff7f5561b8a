"""Readers that are interrupted, by a signal handler or a finalizer of their own thread, at the worst moment."""

from __future__ import annotations

import pytest

from slo_otel.recorder import CellSnapshot, Counter, Mark, Snapshot
from slo_otel.recorder import _cell as cell_module
from slo_otel.recorder import _journal as journal_module
from slo_otel.recorder._fold import Value, folded
from tests.recorder.samples import recorder, request


def test_a_snapshot_that_interrupts_a_snapshot_takes_nothing_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inner one sees the totals of before; the outer one, and the next, have every event once."""
    registry = recorder()
    cell = registry.cell(request())
    inner: list[Snapshot] = []

    def interrupted(state: CellSnapshot, batch: list[Value]) -> CellSnapshot:
        if not inner:
            cell.record(0.25)
            inner.append(registry.snapshot(0, 0))
        return folded(state, batch)

    monkeypatch.setattr(cell_module, "folded", interrupted)
    for _ in range(3):
        cell.record(0.5)
    outer = registry.snapshot(0, 0)
    after = registry.snapshot(0, 0)
    counts = [snapshot.cells[0].count for snapshot in (inner[0], outer, after)]
    assert counts == [0, 3, 4]
    found = after.cells[0].duration
    assert found is not None
    assert found.sum == 3 * 0.5 + 0.25


def test_a_reader_that_interrupts_the_numbering_of_marks_numbers_none_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mark written meanwhile comes after those that were being numbered, and each has one number."""
    registry = recorder()
    inner: list[Snapshot] = []

    def interrupted(
        sequence: int, kind: str, name: str, key: str | None, at_ns: int, started_ns: int | None, attributes: object
    ) -> Mark:
        if not inner:
            registry.mark("event", "deploy", "meanwhile", at_ns=9)
            inner.append(registry.snapshot(0, 0))
        assert attributes == ()
        return Mark(sequence, kind, name, key, at_ns, started_ns, ())

    monkeypatch.setattr(journal_module, "Mark", interrupted)
    registry.mark("event", "deploy", "first", at_ns=1)
    registry.mark("event", "deploy", "second", at_ns=2)
    outer = registry.snapshot(0, 0).journal
    after = registry.snapshot(0, 0).journal
    assert inner[0].journal == ()
    assert [(mark.sequence, mark.key) for mark in outer] == [(1, "first"), (2, "second")]
    assert [(mark.sequence, mark.key) for mark in after] == [(1, "first"), (2, "second"), (3, "meanwhile")]


def test_a_holder_of_the_journal_that_was_given_up_on_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves late and says that nobody is inside; a handler reads; each mark has one number all the same."""
    registry = recorder()
    inner: list[Snapshot] = []
    handled: list[int] = []

    def interrupted(
        sequence: int, kind: str, name: str, key: str | None, at_ns: int, started_ns: int | None, attributes: object
    ) -> Mark:
        if not handled:
            handled.append(1)
            registry._journal._inside = False
            registry.mark("event", "deploy", "meanwhile", at_ns=9)
            inner.append(registry.snapshot(0, 0))
        return Mark(sequence, kind, name, key, at_ns, started_ns, ())

    monkeypatch.setattr(journal_module, "Mark", interrupted)
    registry.mark("event", "deploy", "first", at_ns=1)
    outer = registry.snapshot(0, 0).journal
    assert [(mark.sequence, mark.key) for mark in inner[0].journal] == [(1, "first"), (2, "meanwhile")]
    assert outer == inner[0].journal == registry.snapshot(0, 0).journal


class Interrupting(int):
    """A number that raises the counter it is added up in, and reads it."""

    counter: Counter
    seen: list[int]

    def __radd__(self, other: int) -> int:
        if not self.seen:
            self.seen.append(0)
            self.counter.add()
            self.seen[0] = self.counter.value
        return int(self) + other


def test_what_is_counted_while_a_counter_is_read_is_in_its_next_value() -> None:
    """The inner reader sees the count of before; what arrived meanwhile is neither lost nor counted twice."""
    number = Interrupting(2)
    number.counter, number.seen = Counter(), []
    number.counter.add(5)
    number.counter.add(number)
    assert (number.counter.value, number.seen, number.counter.value) == (7, [0], 8)


def test_confirming_marks_that_are_not_there_changes_nothing() -> None:
    """A ledger that confirms an empty journal, or what it confirmed before, does no harm."""
    registry = recorder()
    registry.trim(5)
    assert registry.snapshot(0, 0).journal == ()
    registry.mark("event", "deploy", None, at_ns=1)
    registry.trim(0)
    assert [mark.sequence for mark in registry.snapshot(0, 0).journal] == [1]
