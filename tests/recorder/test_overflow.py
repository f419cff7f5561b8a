"""Series past the limit: verdicts stay exact, attributes are given up."""

from __future__ import annotations

from collections import Counter as Counts

from hypothesis import given
from hypothesis import strategies as st

from slo_otel.plan import OVERFLOW, CellKey, Kind, Outcome, judge, value_of
from slo_otel.recorder import Snapshot, Tally, tally
from tests.recorder.samples import PLAN, counted, left, recorder, request

KEYS = (
    *(request(status, f"/{at}") for status in (200, 404, 500) for at in range(3)),
    *(left(f"/{at}") for at in range(2)),
    *(request(200, f"/{at}", event_stream=True) for at in range(2)),
    counted("paid"),
    counted("unpaid"),
    CellKey(Kind.OPERATION, names=("sum",), operation="sum", outcome=Outcome.ERROR),
)
Totals = dict[tuple[str, int | None], Tally]


def totals(snapshot: Snapshot) -> Totals:
    """Verdicts by indicator and threshold, over all series."""
    found: Totals = {}
    for cell in snapshot.cells:
        for each in cell.judgements:
            at = (each.indicator, each.measure.threshold_ns)
            found[at] = found.get(at, Tally()) + tally(cell, each.ruling)
    return found


EVENTS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, 2.0, 3.0])), max_size=60
)


@given(EVENTS, st.integers(1, 6))
def test_every_slo_counts_alike_with_and_without_overflow(
    events: list[tuple[CellKey, float]], max_series: int
) -> None:
    """Verdicts by SLO and threshold do not depend on how many series there may be."""
    wide, narrow = recorder(), recorder(max_series=max_series)
    for key, duration in events:
        wide.cell(key).record(duration, duration / 4)
        narrow.cell(key).record(duration, duration / 4)
    whole, bounded = wide.snapshot(0, 0), narrow.snapshot(0, 0)
    assert totals(bounded) == totals(whole)
    assert sum(cell.count for cell in bounded.cells) == len(events)
    over = [cell for cell in bounded.cells if cell.key.overflow]
    assert len(bounded.cells) - len(over) == min(max_series, len({key for key, _ in events}))
    assert bounded.limits.overflowed_events == sum(cell.count for cell in over)
    assert whole.limits.overflowed_events == 0
    assert max(Counts(cell.key for cell in bounded.cells).values(), default=1) == 1


def test_an_overflow_cell_drops_every_attribute_and_says_so_in_its_groups() -> None:
    """What the series is grouped by has the value `overflow`; its names stay."""
    registry = recorder(max_series=1)
    registry.cell(request(200, "/first"))
    over = registry.cell(request(500, "/second"))
    assert over.key.overflow
    assert over.key._replace(attributes=(), overflow=False) == CellKey(Kind.HTTP)
    assert {each.group for each in over.judgements} == {(("route", OVERFLOW),)}
    assert value_of(over.key, "route") == OVERFLOW
    rulings = [each.ruling for each in over.judgements]
    assert rulings == [each.ruling for each in judge(PLAN, request(500, "/second"))]


def test_series_of_the_same_names_and_verdicts_share_one_overflow_cell() -> None:
    """However many routes arrive, there is one cell for what is good and one for what is bad."""
    registry = recorder(max_series=1)
    registry.cell(request(200, "/first"))
    good = {registry.cell(request(200, f"/{at}")) for at in range(3000)}
    bad = {registry.cell(request(500, f"/{at}")) for at in range(3000)}
    assert (len(good), len(bad), len(good | bad)) == (1, 1, 2)
    assert registry.snapshot(0, 0).limits.series == 3


def test_names_without_a_bound_make_a_bounded_number_of_cells() -> None:
    """Past the overflow cells that may have names, verdicts alone tell cells apart; no event is lost."""
    registry = recorder(max_series=1)
    for at in range(500):
        registry.cell(CellKey(Kind.OPERATION, names=(f"job-{at}",), operation=f"job-{at}")).record(0.5)
    snapshot = registry.snapshot(0, 0)
    assert len(snapshot.cells) == 1 + 16 + 1
    assert snapshot.cells[-1].key.names == (OVERFLOW,)
    assert sum(cell.count for cell in snapshot.cells) == 500


def test_an_overflow_cell_goes_on_taking_its_names_when_no_more_may_be_made() -> None:
    """A new series of names that have a cell already is counted under them, not under `overflow`."""
    registry = recorder(max_series=1)
    made = [registry.cell(CellKey(Kind.OPERATION, names=(f"job-{at}",), operation=f"job-{at}")) for at in range(40)]
    again = [CellKey(Kind.OPERATION, names=(f"job-{at}",), operation="other") for at in range(1, 40)]
    assert [registry.cell(key) for key in again] == made[1:]


def test_names_without_a_bound_keep_their_verdicts() -> None:
    """Past the overflow cells that may have names, what is good and what is bad are still two cells."""
    registry = recorder(max_series=1)
    for at in range(40):
        for status in (200, 500):
            registry.cell(request(status)._replace(names=(f"job-{at}",))).record(0.3)
    assert totals(registry.snapshot(0, 0))["available", None] == Tally(good=40, bad=40)


def test_a_known_series_keeps_its_cell_when_the_limit_is_reached() -> None:
    """Only new series overflow."""
    registry = recorder(max_series=2)
    first = registry.cell(request(200, "/a"))
    registry.cell(request(200, "/b"))
    registry.cell(request(200, "/c")).record(0.5)
    assert registry.cell(request(200, "/a")) is first
    assert not first.key.overflow
