"""Exemplars: which single events of a cell are kept, for how long, and how many at most."""

from __future__ import annotations

import sys
import threading

from hypothesis import given
from hypothesis import strategies as st

from slo_otel.recorder import HTTP_BOUNDS, Cell, Exemplar, Recorder
from tests.recorder.samples import counted, left, recorder, request

BOUNDS = tuple(sorted({*HTTP_BOUNDS, 0.2, 0.4}))
EVENTS = st.lists(st.tuples(st.sampled_from([0.001, 0.005, 0.2, 0.21, 3.0, 99.0, 100.0]), st.booleans()))


def kept(registry: Recorder, until_ns: int = 10**18) -> set[Exemplar]:
    """What a snapshot has of all cells."""
    return {each for _, found in registry.snapshot(until_ns, 0).exemplars for each in found}


def expected(events: list[tuple[float, bool]]) -> set[Exemplar]:
    """The slowest event of each bucket, the later of two alike, and the latest bad one, by going over all."""
    found: dict[object, Exemplar] = {}
    for at, (value, bad) in enumerate(events):
        bucket = sum(value > bound for bound in BOUNDS)
        if bucket not in found or value >= found[bucket].value:
            found[bucket] = Exemplar(value, at)
        if bad:
            found["bad"] = Exemplar(value, at)
    return set(found.values())


@given(EVENTS)
def test_the_slowest_of_each_bucket_and_the_latest_bad_one_are_kept(events: list[tuple[float, bool]]) -> None:
    """Whatever comes, the places hold what going over all events finds, each event once."""
    registry = recorder()
    cell = registry.cell(request())
    for at, (value, bad) in enumerate(events):
        registry.exemplars.keep(cell, Exemplar(value, at), bad=bad)
    assert kept(registry) == expected(events)
    assert sum(len(found) for _, found in registry.snapshot(10**18, 0).exemplars) == len(expected(events))


@given(EVENTS, st.integers(0, 20))
def test_what_arrived_is_forgotten_and_what_came_later_is_not(events: list[tuple[float, bool]], gone: int) -> None:
    """Forgetting up to a moment leaves the places of later events as they are, and frees the others."""
    registry = recorder()
    cell = registry.cell(request())
    for at, (value, bad) in enumerate(events):
        registry.exemplars.keep(cell, Exemplar(value, at), bad=bad)
    before = kept(registry)
    registry.exemplars.forget(gone)
    assert kept(registry) == {each for each in before if each.at_ns > gone}
    registry.exemplars.forget(len(events))
    registry.exemplars.keep(cell, Exemplar(0.0, 10**6), bad=False)
    assert kept(registry) == {Exemplar(0.0, 10**6)}


def test_an_event_after_the_snapshot_is_in_the_next_one() -> None:
    """A point's exemplars are no younger than the point."""
    registry = recorder()
    registry.exemplars.keep(registry.cell(request()), Exemplar(0.1, 50), bad=True)
    assert kept(registry, 49) == set()
    assert kept(registry, 50) == {Exemplar(0.1, 50)}


def test_a_stream_has_the_slowest_by_its_first_byte_too() -> None:
    """Of two streams in one bucket, the one with the later first byte is kept beside the longer one."""
    registry = recorder()
    cell = registry.cell(request(event_stream=True))
    long, late = Exemplar(60.0, 1, first_byte=0.01), Exemplar(50.0, 2, first_byte=0.4)
    for each in (long, late, Exemplar(40.0, 3, first_byte=0.35)):
        registry.exemplars.keep(cell, each, bad=False)
    assert kept(registry) == {long, late}


def test_a_cell_without_a_latency_slo_keeps_the_latest_bad_event_alone() -> None:
    """Where nobody shows buckets there is one place; a counted event has it too."""
    registry = recorder()
    cell = registry.cell(counted("unpaid"))
    for at in range(3):
        registry.exemplars.keep(cell, Exemplar(1, at), bad=True)
    registry.exemplars.keep(cell, Exemplar(9, 9), bad=False)
    assert kept(registry) == {Exemplar(1, 2)}


def test_so_many_cells_have_exemplars_and_no_more() -> None:
    """The first thousand cells have places; when they are forgotten, others may."""
    registry = recorder()
    cells = [registry.cell(request(route=f"/{at}")) for at in range(1_001)]
    for cell in cells:
        registry.exemplars.keep(cell, Exemplar(0.1, 1), bad=True)
    assert len(registry.snapshot(10, 0).exemplars) == 1_000
    registry.exemplars.forget(1)
    registry.exemplars.keep(cells[-1], Exemplar(0.1, 2), bad=True)
    assert [key for key, _ in registry.snapshot(10, 0).exemplars] == [cells[-1].key]


def test_a_fork_has_none_of_its_parent() -> None:
    """In the child the exemplars are gone with the counts."""
    registry = recorder()
    registry.exemplars.keep(registry.cell(left()), Exemplar(3.0, 1), bad=True)
    registry.restart("w2")
    assert registry.snapshot(10, 0).exemplars == ()


def test_threads_fill_forget_and_read_at_once() -> None:
    """Without a lock nobody stumbles, and what is read are whole events of the cell that they are told for."""
    registry = recorder()
    cells = [registry.cell(request(route=f"/{at}")) for at in range(4)]
    errors: list[BaseException] = []
    done = threading.Event()

    def fill(cell: Cell) -> None:
        for at in range(3_000):
            registry.exemplars.keep(cell, Exemplar(cells.index(cell) + at % 7 / 8, at), bad=True)

    def read() -> None:
        try:
            while not done.is_set():
                for key, found in registry.snapshot(10**18, 0).exemplars:
                    assert {int(each.value) for each in found} == {[cell.key for cell in cells].index(key)}
                registry.exemplars.forget(1_500)
        except BaseException as fault:  # noqa: BLE001 - looked at below
            errors.append(fault)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        reader = threading.Thread(target=read)
        reader.start()
        writers = [threading.Thread(target=fill, args=(cell,)) for cell in cells]
        for each in writers:
            each.start()
        for each in writers:
            each.join()
    finally:
        done.set()
        sys.setswitchinterval(interval)
    reader.join()
    assert errors == []
